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
  const close = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", close, { once: true });
  try {
    for (;;) {
      throwIfAborted(signal);
      let result;
      try {
        result = await within(silenceMs, reader.read());
      } catch (error) {
        throwIfAborted(signal);
        throw broken(what, error);
      }
      throwIfAborted(signal);
      if (result === SILENCE) {
        throw new Passing(new RushlightError("ERR_NETWORK", `${what}: nothing arrived for ${silenceMs / 1000} s`));
      }
      if (result.done) return;
      yield result.value;
    }
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

const SILENCE = Symbol("silence");

/** What a promise gives, or `SILENCE` if it takes too long. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | typeof SILENCE> {
  if (!Number.isFinite(ms)) return await promise;
  let timer;
  const silence = new Promise<typeof SILENCE>((resolve) => {
    timer = setTimeout(() => {
      resolve(SILENCE);
    }, ms);
  });
  try {
    return await Promise.race([promise, silence]);
  } finally {
    clearTimeout(timer);
  }
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortError(signal);
}
