// A model file as a stream of chunks, from the network or from a file that the visitor chose. Nothing holds the whole file.

import type { CoreFiles } from "./engine.js";
import { abortError, RushlightError } from "./errors.js";
import type { FileSource, FilesSource, Source } from "./protocol.js";

/** The largest chunk that goes to the core at once: it bounds the copy that crosses into wasm. */
const CHUNK_BYTES = 4 << 20;

/** A file that is arriving, and what lies beside it. */
export interface Incoming {
  /** Bytes of the file, where known. */
  readonly total: number | undefined;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** The small files of a model in safetensors. */
  readonly files: CoreFiles | null;
}

/** Opens a source; the signal closes it, also while chunks are read. */
export async function open(source: Source, signal: AbortSignal): Promise<Incoming> {
  if (!("files" in source)) return { ...(await openFile(source, signal)), files: null };
  // The small ones first: a model that can't run is not worth its weights.
  const files = await readFiles(source.files, signal);
  return { ...(await openFile(source.files.model, signal)), files };
}

/** Reads what lies beside a model in safetensors. */
export async function readFiles(source: FilesSource, signal: AbortSignal): Promise<CoreFiles> {
  const needed = async (file: FileSource): Promise<string> => await readText(await openFile(file, signal));
  const optional = async (file: FileSource | undefined): Promise<string | null> => {
    try {
      return file === undefined ? null : await needed(file);
    } catch (error) {
      if (error instanceof RushlightError && error.status === 404) return null;
      throw error;
    }
  };
  const { config, tokenizer, sentence, pooling } = source;
  const texts = await Promise.all([needed(config), needed(tokenizer), optional(sentence), optional(pooling)]);
  return { config: texts[0], tokenizer: texts[1], sentence: texts[2], pooling: texts[3] };
}

/** A file that is small enough to be held. */
export async function readWhole(source: FileSource, signal: AbortSignal): Promise<Uint8Array> {
  const { chunks } = await openFile(source, signal);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  // Copied, since a chunk is only lent.
  for await (const chunk of chunks) parts.push(new Uint8Array(chunk));
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function readText({ chunks }: Omit<Incoming, "files">): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

async function openFile(source: FileSource, signal: AbortSignal): Promise<Omit<Incoming, "files">> {
  if ("file" in source) {
    return { total: source.file.size, chunks: readAll(source.file.stream(), "reading the file", signal) };
  }
  const response = await request(source.url, signal);
  if (!response.ok || response.body === null) {
    // The connection must not stay open for a body that nobody reads.
    void response.body?.cancel();
    throw new RushlightError("ERR_NETWORK", `${source.url}: the server answered ${response.status} ${response.statusText}`.trimEnd(), {
      status: response.status,
    });
  }
  return { total: contentLength(response), chunks: readAll(response.body, `fetching ${source.url}`, signal) };
}

async function request(url: string, signal: AbortSignal): Promise<Response> {
  try {
    return await fetch(url, { signal });
  } catch (error) {
    if (signal.aborted) throw abortError(signal);
    throw failed(`fetching ${url}`, error);
  }
}

/** Length of the body, unless the transfer is compressed: the header then counts other bytes than those that arrive. */
function contentLength(response: Response): number | undefined {
  const encoding = response.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") return undefined;
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  return Number.isSafeInteger(length) && length >= 0 ? length : undefined;
}

async function* readAll(
  stream: ReadableStream<Uint8Array>,
  what: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  const close = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", close, { once: true });
  try {
    for (;;) {
      let result;
      try {
        result = await reader.read();
      } catch (error) {
        throw signal.aborted ? abortError(signal) : failed(what, error);
      }
      if (signal.aborted) throw abortError(signal);
      if (result.done) return;
      for (let at = 0; at < result.value.length; at += CHUNK_BYTES) {
        yield result.value.subarray(at, at + CHUNK_BYTES);
      }
    }
  } finally {
    signal.removeEventListener("abort", close);
    close();
  }
}

function failed(what: string, cause: unknown): RushlightError {
  const said = cause instanceof Error ? `: ${cause.message}` : "";
  return new RushlightError("ERR_NETWORK", `${what} failed${said}`, { cause });
}
