// A model file as a stream of chunks, from the network, from the store or from a file that the visitor chose. Nothing holds the
// whole file.

import { arrive, lengthOf, type Wanted, type World } from "./arrival/arrive.js";
import { readBody } from "./arrival/body.js";
import { plain } from "./arrival/retry.js";
import { laterPart, partsOf } from "./arrival/split.js";
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
  /** Bytes that the server announces where that is not certain: for the eyes. */
  readonly expected?: number | undefined;
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Bytes that came out of the store so far. */
  readonly cached: () => number;
}

/** A model that is arriving: its file or the first of them, and what lies beside it. */
export interface Incoming extends IncomingFile {
  /** Bytes of all parts, where known: for the eyes. */
  readonly total: number | undefined;
  /** Opens the further parts of a split model, one after the other. */
  readonly furtherParts: readonly (() => Promise<IncomingFile>)[];
  /** The small files of a model in safetensors. */
  readonly files: CoreFiles | null;
  /** Why a later load will not find all of these files in the store; `undefined` where it will. */
  readonly unkept: () => string | undefined;
  /** Removes from the store what has arrived of the weights, where no hash says that they are right: they are no model, or were cut. */
  readonly discard: () => Promise<void>;
}

/** Hears how far another tab is that fetches a file, while this one waits for it. */
export type OnWaiting = NonNullable<Wanted["onWaiting"]>;

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
  onWaiting?: OnWaiting,
): Promise<Incoming> {
  const opener = new Opener(source, request, world ?? (await browserWorld(request.cache)), signal, sibling, onWaiting);
  if (!("files" in source)) return { ...(await opener.model(source)), files: null };
  // The small ones first: a model that can't run is not worth its weights.
  const files = await readFiles(source.files, opener);
  return { ...(await opener.model(source.files.model)), files };
}

/** The files of one load. */
class Opener {
  readonly #wanted: Wanted;
  readonly #cacheKey: string | undefined;
  readonly #world: World;
  readonly #signal: AbortSignal;
  /** Of a model's weights. */
  readonly #weights: OpenedFile[] = [];
  #unkept: string | undefined;

  constructor(
    source: Source,
    { cache, sha256, manifest, connections, cacheKey }: ArrivalRequest,
    world: World,
    signal: AbortSignal,
    sibling: FileSource | null = null,
    onWaiting?: OnWaiting,
  ) {
    const siblings = [...storedAs(source, cacheKey), ...(sibling === null ? [] : storedAs(sibling, keyWithin(cacheKey, "prefix")))];
    // Only who asks for it in so many words would rather have no model than one that is not kept.
    const note = (reason: string): void => {
      this.#unkept ??= reason;
    };
    const onUnkept = cache === "opfs" ? undefined : note;
    this.#wanted = { sha256, manifest, connections, siblings, onUnkept, onWaiting };
    this.#cacheKey = cacheKey;
    this.#world = world;
    this.#signal = signal;
  }

  /** The file or the files with the weights. */
  async model(source: FileSource): Promise<Omit<Incoming, "files">> {
    const cached = (): number => this.#weights.reduce((sum, file) => sum + file.cached(), 0);
    const all = {
      cached,
      unkept: (): string | undefined => this.#unkept,
      discard: async (): Promise<void> => {
        await Promise.all(this.#weights.map((file) => file.discard()));
      },
    };
    refuseLaterPart(source);
    const parts = "url" in source ? partsOf(source.url) : undefined;
    if (parts === undefined || parts.length < 2) {
      const file = await this.#open(source, this.#wanted, this.#cacheKey);
      this.#weights.push(file);
      return { ...file, total: file.fileBytes ?? file.expected, furtherParts: [], ...all };
    }
    const { sha256, manifest } = this.#wanted;
    const option = sha256 === null ? "manifest" : "sha256";
    if (sha256 !== null || (manifest !== null && manifest !== "auto")) {
      throw new RushlightError("ERR_BAD_ARGUMENT", `${option}: a split model takes manifest: "auto", a manifest beside each part`);
    }
    const [first = "", ...rest] = parts;
    // Before gigabytes are fetched: whether all are there, and how much that will be.
    const lengths = await Promise.all(rest.map((url, at) => lengthOf(url, this.#world, this.#signal, partKey(this.#cacheKey, at + 1))));
    const sum = (a: number | undefined, b: number | undefined): number | undefined =>
      a === undefined || b === undefined ? undefined : a + b;
    const { onWaiting } = this.#wanted;
    // The length of one part is not that of the model.
    const wanted = { ...this.#wanted, onWaiting: onWaiting && ((stored: number) => { onWaiting(stored, undefined); }) };
    const part = async (url: string, at: number): Promise<IncomingFile> => {
      const file = await this.#open({ url }, wanted, partKey(this.#cacheKey, at));
      this.#weights.push(file);
      return file;
    };
    const file = await part(first, 0);
    const furtherParts = rest.map((url, at) => () => part(url, at + 1));
    return { ...file, total: lengths.reduce(sum, file.fileBytes ?? file.expected), furtherParts, ...all };
  }

  /** A small file; what it is to the model names it in the store, where the model has a name of its own there. */
  async small(source: FileSource, role?: string): Promise<IncomingFile> {
    // What was said of the weights is not said of it, and nobody waits for it long.
    const wanted = { ...this.#wanted, sha256: null, manifest: null, onWaiting: undefined };
    return await this.#open(source, wanted, keyWithin(this.#cacheKey, role));
  }

  /** The text of a small file. */
  async text(source: FileSource, role: string): Promise<string> {
    return new TextDecoder().decode(await collect(await this.small(source, role)));
  }

  async #open(source: FileSource, wanted: Wanted, key: string | undefined): Promise<OpenedFile> {
    if ("file" in source) {
      this.#unkept ??= "not kept: files that the visitor chose never are";
      const chunks = readFile(source.file, this.#signal);
      return { fileBytes: source.file.size, chunks, cached: () => 0, discard: () => Promise.resolve() };
    }
    this.#unkept ??= this.#world.unkept;
    const { total, expected, chunks, ...rest } = await arrive(withoutFragment(source.url), { ...wanted, key }, this.#world, this.#signal);
    return { fileBytes: total, expected, chunks: cut(chunks), ...rest };
  }
}

/** A file that can be removed again. */
interface OpenedFile extends IncomingFile {
  readonly discard: () => Promise<void>;
}

/** A split model begins with its first part. */
export function refuseLaterPart(source: FileSource): void {
  const name = "url" in source ? new URL(source.url).pathname : ((source.file as Partial<File>).name ?? "");
  const later = laterPart(name);
  if (later === undefined) return;
  const message = `this is part ${later.part} of ${later.count} of a split model: load its first part, ${later.first}`;
  throw new RushlightError("ERR_BAD_ARGUMENT", `${name}: ${message}`);
}

/** What the part of a split model is stored under, where the model has a name of its own: the first part has the model's. */
export function partKey(cacheKey: string | undefined, index: number): string | undefined {
  return cacheKey === undefined || index === 0 ? cacheKey : `${cacheKey}#${index + 1}`;
}

/** The same of a file that belongs to a model. */
export function keyWithin(cacheKey: string | undefined, role: string | undefined): string | undefined {
  return cacheKey === undefined || role === undefined ? undefined : `${cacheKey}#${role}`;
}

/** What all files that are fetched for a model are stored under: of a split one all parts, in their order. */
function storedAs(source: Source, cacheKey: string | undefined): string[] {
  const files = "files" in source ? Object.entries({ ...source.files }) : [["model", source] as const];
  return files.flatMap(([role, file]: readonly [string, FileSource | undefined]) => {
    if (file === undefined || "file" in file) return [];
    const parts = addressesOf(file);
    return parts.map((url, at) => (role === "model" ? partKey(cacheKey, at) : keyWithin(cacheKey, role)) ?? url);
  });
}

/** The address of a file, or those of all parts of a split model, in their order. */
export function addressesOf({ url }: { readonly url: string }): string[] {
  const address = withoutFragment(url);
  return partsOf(address) ?? [address];
}

/** What a server is asked for. */
export function withoutFragment(address: string): string {
  const url = new URL(address);
  url.hash = "";
  return url.href;
}

async function readFiles(source: FilesSource, opener: Opener): Promise<CoreFiles> {
  const optional = async (file: FileSource | undefined, role: string): Promise<string | null> => {
    try {
      return file === undefined ? null : await opener.text(file, role);
    } catch (error) {
      // Some servers answer addresses that they do not know with a page.
      if (error instanceof RushlightError && (error.status === 404 || error.code === "ERR_BAD_FILE")) return null;
      throw error;
    }
  };
  const { config, tokenizer, sentence, pooling } = source;
  const needed = [opener.text(config, "config"), opener.text(tokenizer, "tokenizer")] as const;
  const texts = await Promise.all([...needed, optional(sentence, "sentence"), optional(pooling, "pooling")]);
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

/**
 * Opens a file that belongs to a model and is small enough to be held; it is kept as the model's are, under a name within the model's
 * if it has a `role`.
 */
export async function openSmall(
  file: FileSource,
  { source, arrival }: Pick<LoadRequest, "source" | "arrival">,
  signal: AbortSignal,
  world?: World,
  role?: string,
): Promise<IncomingFile> {
  return await new Opener(source, arrival, world ?? (await browserWorld(arrival.cache)), signal).small(file, role);
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
