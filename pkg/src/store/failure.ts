// What goes wrong in the file system.

import { RushlightError } from "../errors.js";

/** A failure of the file system, in words. */
export function storageError(url: string, error: unknown): unknown {
  if (error instanceof RushlightError || !(error instanceof Error)) return error;
  const advice = 'or load with cache: "none"';
  if (error.name === "QuotaExceededError") {
    const message = `${url}: the browser's storage is full; make room with cache.delete, ${advice}`;
    return new RushlightError("ERR_QUOTA", message, { cause: error });
  }
  const message = `${url}: the browser's storage failed (${error.message}); try again, ${advice}`;
  return new RushlightError("ERR_STORAGE", message, { cause: error });
}

/** Does something with a stored file, and names it where that fails. */
export async function guard<T>(url: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storageError(url, error);
  }
}
