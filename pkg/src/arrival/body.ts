// The body of an answer, piece by piece: an abort ends it, and so does silence.

import { abortError, RushlightError } from "../errors.js";
import { LATE, within } from "../late.js";
import { broken, Passing } from "./retry.js";

/** Bytes that are read at a time: what lies in the processor's cache until it is copied on. */
const PIECE_BYTES = 256 << 10;

/**
 * Reads a stream to its end, or until the loop is left; both close it. A piece is lent until the next one is asked for. Fails with
 * `Passing` where the stream breaks.
 */
export async function* readBody(
  stream: ReadableStream<Uint8Array>,
  what: string,
  signal: AbortSignal,
  silenceMs = Infinity,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = open(stream);
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
      if (result === LATE) {
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

/**
 * Whoever reads a stream. Where it can, it is read into the same memory again and again: the system hands out fresh memory a page at a
 * time, which costs a load of 250 MB some tenths of a second.
 */
function open(stream: ReadableStream<Uint8Array>): {
  read(): Promise<ReadableStreamReadResult<Uint8Array>>;
  cancel(): Promise<void>;
} {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = stream.getReader({ mode: "byob" });
  } catch {
    // Streams that are made of pieces, and those of older browsers.
    return stream.getReader();
  }
  let memory = new ArrayBuffer(PIECE_BYTES);
  return {
    async read() {
      const { done, value } = await reader.read(new Uint8Array(memory));
      if (done) return { done, value: undefined };
      memory = value.buffer;
      return { done, value };
    },
    cancel: () => reader.cancel(),
  };
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortError(signal);
}
