// The beginning of a file, in growing pieces, for as long as somebody reads on: by range requests, or from a server without them
// as a stream that is ended.

import { abortError, RushlightError } from "./errors.js";
import type { FileSource, Source } from "./protocol.js";
import { type Incoming, readBeside } from "./source.js";

/** The first piece: most headers end in it but for large vocabularies, whose take some megabytes. */
const FIRST_BYTES = 1 << 20;
/** Pieces double up to this. */
const MOST_BYTES = 16 << 20;

/** The beginning of a file. */
export interface Head extends Pick<Incoming, "fileBytes" | "chunks" | "files"> {
  /** Whether nothing has to be fetched. */
  readonly local: boolean;
}

/** Opens the beginning of a model's file; what lies beside it is read whole. */
export async function openHead(source: Source, signal: AbortSignal): Promise<Head> {
  const files = "files" in source ? await readBeside(source.files, signal) : null;
  const file = "files" in source ? source.files.model : source;
  if ("file" in file) return { local: true, files, fileBytes: file.file.size, chunks: slices(file.file) };
  return { local: false, files, ...(await ranges(file, signal)) };
}

async function* slices(file: Blob): AsyncGenerator<Uint8Array, void, undefined> {
  for (const [begin, end] of pieces()) {
    if (begin >= file.size) return;
    yield new Uint8Array(await file.slice(begin, end).arrayBuffer());
  }
}

/** Begin and end of each piece. */
function* pieces(): Generator<[begin: number, end: number], never, undefined> {
  let begin = 0;
  for (let size = FIRST_BYTES; ; size = Math.min(2 * size, MOST_BYTES)) {
    yield [begin, begin + size];
    begin += size;
  }
}

async function ranges(
  { url }: Extract<FileSource, { url: string }>,
  signal: AbortSignal,
): Promise<Pick<Incoming, "fileBytes" | "chunks">> {
  const first = await request(url, 0, FIRST_BYTES, signal);
  if (first.status !== 206) return { fileBytes: length(first.headers.get("content-length"), first), chunks: stream(first) };
  const total = length(/\/(\d+)$/.exec(first.headers.get("content-range") ?? "")?.[1] ?? null, first);
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    let response = first;
    for (const [begin, end] of pieces()) {
      if (total !== undefined && begin >= total) return;
      if (begin > 0) response = await request(url, begin, end, signal);
      if (begin > 0 && response.status === 416) return;
      const bytes = await read(() => response.arrayBuffer(), url, signal);
      yield new Uint8Array(bytes);
      if (bytes.byteLength < end - begin) return;
    }
  }
  return { fileBytes: total, chunks: chunks() };

  /** The body as it comes; it is given up when nobody reads on. */
  async function* stream({ body }: Response): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = body?.getReader();
    try {
      for (;;) {
        const result = await read(async () => await reader?.read(), url, signal);
        if (result?.value === undefined) return;
        yield result.value;
      }
    } finally {
      void reader?.cancel().catch(() => undefined);
    }
  }
}

/** A length that a header says, unless the transfer is compressed: it then counts other bytes. */
function length(text: string | null, { headers }: Response): number | undefined {
  const encoding = headers.get("content-encoding");
  const said = Number(text ?? Number.NaN);
  return (encoding === null || encoding === "identity") && Number.isSafeInteger(said) ? said : undefined;
}

async function request(url: string, begin: number, end: number, signal: AbortSignal): Promise<Response> {
  const response = await read(() => fetch(url, { signal, headers: { range: `bytes=${begin}-${end - 1}` } }), url, signal);
  if (response.ok || (begin > 0 && response.status === 416)) return response;
  void response.body?.cancel();
  const said = `${url}: the server answered ${response.status} ${response.statusText}`.trimEnd();
  throw new RushlightError("ERR_NETWORK", said, { status: response.status });
}

async function read<T>(from: () => Promise<T>, url: string, signal: AbortSignal): Promise<T> {
  try {
    return await from();
  } catch (cause) {
    if (signal.aborted) throw abortError(signal);
    throw new RushlightError("ERR_NETWORK", `fetching ${url} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
