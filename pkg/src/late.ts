// Waiting, but not for ever.

/** In place of what did not come in time. */
export const LATE = Symbol("late");

/** What a promise gives, or `LATE` if it takes too long: what it gives or how it fails later is then heard by nobody. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | typeof LATE> {
  if (!Number.isFinite(ms)) return await promise;
  let timer;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(resolve, ms, LATE);
  });
  promise.catch(() => undefined);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
