// The body of an answer, piece by piece: an abort ends it, and so does silence.

import { abortError, RushlightError } from "../errors.js";
import { broken } from "./remote.js";
import { Passing } from "./retry.js";

/** Reads a stream to its end, or until the loop is left; both close it. Fails with `Passing` where the stream breaks. */
export async function* readBody(
  stream: ReadableStream<Uint8Array>,
  what: string,
  signal: AbortSignal,
  silenceMs = Infinity,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  let silent = false;
  const close = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", close, { once: true });
  try {
    for (;;) {
      if (signal.aborted) throw abortError(signal);
      const timer = Number.isFinite(silenceMs)
        ? setTimeout(() => {
            silent = true;
            close();
          }, silenceMs)
        : undefined;
      let result;
      try {
        result = await reader.read();
      } catch (error) {
        throw signal.aborted ? abortError(signal) : broken(what, error);
      } finally {
        clearTimeout(timer);
      }
      if (signal.aborted) throw abortError(signal);
      if (silent) throw new Passing(new RushlightError("ERR_NETWORK", `${what}: nothing arrived for ${silenceMs / 1000} s`));
      if (result.done) return;
      yield result.value;
    }
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}
