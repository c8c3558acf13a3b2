// Work that is done at the same time and stands or falls together.

/** What the main work of `together` gets. */
export interface Together {
  /** Aborted when any of the work has failed, or from outside: all of it listens. */
  readonly signal: AbortSignal;
  /** Lets work go on beside the main work, which awaits it where it needs what it gives. */
  readonly beside: <T>(work: Promise<T>) => Promise<T>;
}

/** Does work, and other work beside it: the first failure of any ends all, and is what is thrown. */
export async function together<T>(signal: AbortSignal, main: (all: Together) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => {
    controller.abort(signal.reason);
  };
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  let first: { readonly error: unknown } | undefined;
  const beside = <Other>(work: Promise<Other>): Promise<Other> => {
    work.catch((error: unknown) => {
      // What fails after the end fails because of it.
      if (!controller.signal.aborted) first = { error };
      controller.abort();
    });
    return work;
  };
  try {
    return await main({ signal: controller.signal, beside });
  } catch (error) {
    throw first === undefined ? error : first.error;
  } finally {
    signal.removeEventListener("abort", abort);
    // What still goes on beside a failure ends too.
    controller.abort();
  }
}
