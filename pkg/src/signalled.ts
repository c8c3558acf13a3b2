// A request that a signal ends.

import type { Connection, Listeners } from "./connection.js";
import { abortError, RushlightError } from "./errors.js";

/** The answer to a request; an abort has the signal's own reason. */
export async function answerTo(
  connection: Connection,
  body: Parameters<Connection["call"]>[0],
  signal: AbortSignal | undefined,
  listeners: Listeners = {},
): Promise<unknown> {
  if (signal?.aborted === true) throw abortError(signal);
  const call = connection.call(body, listeners);
  const abort = (): void => {
    call.cancel();
  };
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await call.answer;
  } catch (error) {
    throw error instanceof RushlightError && error.code === "ERR_ABORTED" ? abortError(signal) : error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
