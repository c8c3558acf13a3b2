// The beginnings of a model's files, for as long as somebody reads on.

import { type Beginning, beginningOf, bytesToFetch, pieces } from "./arrival/beginning.js";
import type { World } from "./arrival/arrive.js";
import { browserWorld } from "./arrival/world.js";
import type { ArrivalRequest, FileSource, Source } from "./protocol.js";
import { addressesOf, type Incoming, keyWithin, partKey, readBeside, refuseLaterPart, withoutFragment } from "./source.js";

/** The first piece: most headers end in it but for large vocabularies, whose take some megabytes. */
const FIRST_BYTES = 1 << 20;
/** The same of the further parts of a split model, whose headers only list their tensors. */
const FURTHER_BYTES = 1 << 17;

/** The beginning of a model: of its file or the first of them, and what lies beside it. */
export interface Head extends Beginning, Pick<Incoming, "files"> {
  /** Opens the beginnings of a split model's further parts. */
  readonly furtherParts: readonly (() => Promise<Beginning>)[];
}

/** Opens the beginning of a model's file; what lies beside it is read whole. Tests bring a `world` of their own. */
export async function openHead(source: Source, signal: AbortSignal, request: ArrivalRequest, world?: World): Promise<Head> {
  const where = world ?? (await browserWorld(request.cache));
  const files = "files" in source ? await readBeside(source.files, signal, request, where) : null;
  const file: FileSource = "files" in source ? source.files.model : source;
  refuseLaterPart(file);
  if ("file" in file) return { files, ...chosen(file.file), furtherParts: [] };
  const [first = file.url, ...rest] = addressesOf(file);
  const { cacheKey } = request;
  const furtherParts = rest.map((url, at) => () => beginningOf(url, FURTHER_BYTES, where, signal, partKey(cacheKey, at + 1)));
  return { files, ...(await beginningOf(first, FIRST_BYTES, where, signal, cacheKey)), furtherParts };
}

/** Bytes of a file that would have to be fetched beside a model; 0 where the server does not say. */
export async function toFetch(
  file: FileSource | null,
  signal: AbortSignal,
  request: ArrivalRequest,
  world?: World,
): Promise<number> {
  if (file === null || "file" in file) return 0;
  const where = world ?? (await browserWorld(request.cache));
  return (await bytesToFetch(withoutFragment(file.url), where, signal, keyWithin(request.cacheKey, "prefix"))) ?? 0;
}

/** Of a file that the visitor chose: nothing is to be fetched. */
function chosen(file: Blob): Beginning {
  return { fileBytes: file.size, stored: file.size, chunks: slices(file) };
}

async function* slices(file: Blob): AsyncGenerator<Uint8Array, void, undefined> {
  for (const [begin, end] of pieces(FIRST_BYTES)) {
    if (begin >= file.size) return;
    yield new Uint8Array(await file.slice(begin, end).arrayBuffer());
  }
}
