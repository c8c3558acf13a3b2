// A model file as a stream of chunks, from the network, from the store or from a file that the visitor chose. Nothing holds the
// whole file.

import { arrive, lengthOf, type Wanted, type World } from "./arrival/arrive.js";
import { readBody } from "./arrival/body.js";
import { plain } from "./arrival/retry.js";
import { partsOf } from "./arrival/split.js";
import { browserWorld } from "./arrival/world.js";
import type { CoreFiles } from "./engine.js";
import { RushlightError } from "./errors.js";
import type { ArrivalRequest, FileSource, FilesSource, LoadRequest, Source } from "./protocol.js";

/** The largest chunk that goes to the core at once: it bounds the copy that crosses into wasm. */
const CHUNK_BYTES = 4 << 20;

/** A file that is arriving. */
export interface IncomingFile {
  /** Bytes of the file, where known. */
  readonly fileBytes: number | undefined;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Bytes that came out of the store so far. */
  readonly cached: () => number;
}

/** A model that is arriving: its file or the first of them, and what lies beside it. */
export interface Incoming extends IncomingFile {
  /** Bytes of all parts, where known. */
  readonly total: number | undefined;
  /** Opens the further parts of a split model, one after the other. */
  readonly furtherParts: readonly (() => Promise<IncomingFile>)[];
  /** The small files of a model in safetensors. */
  readonly files: CoreFiles | null;
}

/** How files arrive where nothing else is asked for. */
const USUAL: ArrivalRequest = { cache: null, sha256: null, manifest: null, connections: 4 };

/**
 * Opens a source; the signal closes it, also while chunks are read. The stored `sibling` is not removed to make room for it. Tests
 * bring a `world` of their own.
 */
export async function open(
  source: Source,
  signal: AbortSignal,
  request: ArrivalRequest = USUAL,
  world?: World,
  sibling: FileSource | null = null,
): Promise<Incoming> {
  const opener = new Opener(source, request, world ?? (await browserWorld(request.cache)), signal, sibling);
  if (!("files" in source)) return { ...(await opener.model(source)), files: null };
  // The small ones first: a model that can't run is not worth its weights.
  const files = await readFiles(source.files, opener);
  return { ...(await opener.model(source.files.model)), files };
}

/** The files of one load. */
class Opener {
  readonly #wanted: Wanted;
  readonly #world: World;
  readonly #signal: AbortSignal;
  /** Of a model's weights. */
  readonly #weights: IncomingFile[] = [];

  constructor(
    source: Source,
    { sha256, manifest, connections }: ArrivalRequest,
    world: World,
    signal: AbortSignal,
    sibling: FileSource | null = null,
  ) {
    const siblings = [...addressesOf(source), ...(sibling === null ? [] : addressesOf(sibling))];
    this.#wanted = { sha256, manifest, connections, siblings };
    this.#world = world;
    this.#signal = signal;
  }

  /** The file or the files with the weights. */
  async model(source: FileSource): Promise<Omit<Incoming, "files">> {
    const cached = (): number => this.#weights.reduce((sum, file) => sum + file.cached(), 0);
    const parts = "url" in source ? partsOf(source.url) : undefined;
    if (parts === undefined || parts.length < 2) {
      const file = await this.#open(source, this.#wanted);
      return { ...file, total: file.fileBytes, furtherParts: [] };
    }
    const { sha256, manifest } = this.#wanted;
    const option = sha256 === null ? "manifest" : "sha256";
    if (sha256 !== null || (manifest !== null && manifest !== "auto")) {
      throw new RushlightError("ERR_BAD_ARGUMENT", `${option}: a split model takes manifest: "auto", a manifest beside each part`);
    }
    const [first = "", ...rest] = parts;
    // Before gigabytes are fetched: whether all are there, and how much that will be.
    const lengths = await Promise.all(rest.map((url) => lengthOf(url, this.#world, this.#signal)));
    const sum = (a: number | undefined, b: number | undefined): number | undefined =>
      a === undefined || b === undefined ? undefined : a + b;
    const part = async (url: string): Promise<IncomingFile> => {
      const file = await this.#open({ url }, this.#wanted);
      this.#weights.push(file);
      return file;
    };
    const file = await part(first);
    const furtherParts = rest.map((url) => () => part(url));
    return { ...file, total: lengths.reduce(sum, file.fileBytes), furtherParts, cached };
  }

  /** A small file. */
  async small(source: FileSource): Promise<IncomingFile> {
    // What was said of the weights is not said of it.
    return await this.#open(source, { ...this.#wanted, sha256: null, manifest: null });
  }

  /** The text of a small file. */
  async text(source: FileSource): Promise<string> {
    return new TextDecoder().decode(await collect(await this.small(source)));
  }

  async #open(source: FileSource, wanted: Wanted): Promise<IncomingFile> {
    if ("file" in source) return { fileBytes: source.file.size, chunks: readFile(source.file, this.#signal), cached: () => 0 };
    const { total, chunks, cached } = await arrive(withoutFragment(source.url), wanted, this.#world, this.#signal);
    return { fileBytes: total, chunks: cut(chunks), cached };
  }
}

/** Of all files that are fetched for a model: of a split one all parts, in their order. */
export function addressesOf(source: Source): string[] {
  const files: readonly (FileSource | undefined)[] = "files" in source ? Object.values({ ...source.files }) : [source];
  return files.flatMap((file) => {
    if (file === undefined || "file" in file) return [];
    const url = withoutFragment(file.url);
    return partsOf(url) ?? [url];
  });
}

/** What a server is asked for. */
export function withoutFragment(address: string): string {
  const url = new URL(address);
  url.hash = "";
  return url.href;
}

async function readFiles(source: FilesSource, opener: Opener): Promise<CoreFiles> {
  const optional = async (file: FileSource | undefined): Promise<string | null> => {
    try {
      return file === undefined ? null : await opener.text(file);
    } catch (error) {
      if (error instanceof RushlightError && error.status === 404) return null;
      throw error;
    }
  };
  const { config, tokenizer, sentence, pooling } = source;
  const needed = [opener.text(config), opener.text(tokenizer)] as const;
  const texts = await Promise.all([...needed, optional(sentence), optional(pooling)]);
  return { config: texts[0], tokenizer: texts[1], sentence: texts[2], pooling: texts[3] };
}

/** Reads what lies beside a model in safetensors, and nothing of the model. */
export async function readBeside(
  source: FilesSource,
  signal: AbortSignal,
  request: ArrivalRequest,
  world: World,
): Promise<CoreFiles> {
  return await readFiles(source, new Opener({ files: source }, request, world, signal));
}

/** Opens a file that belongs to a model and is small enough to be held; it is kept as the model's are. */
export async function openSmall(
  file: FileSource,
  { source, arrival }: Pick<LoadRequest, "source" | "arrival">,
  signal: AbortSignal,
  world?: World,
): Promise<IncomingFile> {
  return await new Opener(source, arrival, world ?? (await browserWorld(arrival.cache)), signal).small(file);
}

/** All of a file; `onBytes` hears how many bytes came. */
export async function collect({ chunks }: IncomingFile, onBytes?: (count: number) => void): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const chunk of chunks) {
    // Copied, since a chunk is only lent.
    parts.push(new Uint8Array(chunk));
    onBytes?.(chunk.length);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

/** A file that the visitor chose. */
async function* readFile(file: Blob, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* cut(readBody(file.stream(), "reading the file", signal));
  } catch (error) {
    throw plain(error);
  }
}

async function* cut(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) yield chunk.subarray(at, at + CHUNK_BYTES);
  }
}
