// What a caller names as a file, as the worker gets it.

import { RushlightError } from "./errors.js";
import type { FileSource } from "./protocol.js";

/** A file by its address, or as the visitor chose it. */
export function fileSource(from: string | URL | Blob): FileSource {
  return from instanceof Blob ? { file: from } : { url: addressOf(from) };
}

/** An address, relative to the page's: the worker's own is another one. */
export function addressOf(from: string | URL): string {
  try {
    return new URL(from, globalThis.document.baseURI).href;
  } catch (cause) {
    throw new RushlightError("ERR_BAD_ARGUMENT", `${String(from)} is not an address`, { cause });
  }
}
