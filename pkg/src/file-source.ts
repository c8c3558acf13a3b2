// What a caller names as a file, as the worker gets it.

import { RushlightError } from "./errors.js";
import type { FileSource } from "./protocol.js";

/** A file by its address, or as the visitor chose it. */
export function fileSource(from: string | URL | Blob): FileSource {
  if (from instanceof Blob) return { file: from };
  try {
    // The worker's own address is another one: relative addresses are the page's.
    return { url: new URL(from, globalThis.document.baseURI).href };
  } catch (cause) {
    throw new RushlightError("ERR_BAD_ARGUMENT", `${String(from)} is not an address`, { cause });
  }
}
