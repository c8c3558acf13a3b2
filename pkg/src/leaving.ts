// Async generators whose reader may leave at any time.

/**
 * An async generator that hears `return` at once. A plain one hears it only when the step that it is in has ended, which for the first
 * token of a long prompt is late: here the signal that `run` gets is aborted first, by `return`, by `throw`, or by `outer`.
 * `left` says whether the reader has gone: what fails then fails for nobody.
 */
export function leavable<T, R>(
  run: (signal: AbortSignal, left: () => boolean) => AsyncGenerator<T, R, undefined>,
  outer?: AbortSignal,
): AsyncGenerator<T, R, undefined> {
  const controller = new AbortController();
  let gone = false;
  let began = false;
  const steps = run(controller.signal, () => gone);
  const abort = (): void => {
    controller.abort(outer?.reason);
  };
  const forget = (): void => outer?.removeEventListener("abort", abort);
  const leave = (): void => {
    gone = true;
    forget();
    controller.abort();
  };
  // As they are, before the object has its own of the same names.
  const [next, end, fail] = [steps.next.bind(steps), steps.return.bind(steps), steps.throw.bind(steps)];
  return Object.assign(steps, {
    async next() {
      if (!began) {
        began = true;
        if (outer?.aborted === true) abort();
        else outer?.addEventListener("abort", abort, { once: true });
      }
      try {
        const step = await next();
        if (step.done === true) forget();
        return step;
      } catch (error) {
        forget();
        throw error;
      }
    },
    return(value: R | PromiseLike<R>) {
      leave();
      return end(value);
    },
    throw(error: unknown) {
      leave();
      return fail(error);
    },
  });
}
