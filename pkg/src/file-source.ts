// What a caller names as a file, as the worker gets it.

import { RushlightError } from "./errors.js";
import type { FileSource } from "./protocol.js";

/** A file by its address, or as the visitor chose it. */
export function fileSource(from: string | URL | Blob): FileSource {
  return from instanceof Blob ? { file: from } : { url: addressOf(from) };
}

/**
 * An address; one that is not whole is relative to the page's, or in a worker to that of its script: the engine's own worker has another.
 * Where there is neither, as on servers, it has to be whole.
 */
export function addressOf(from: string | URL): string {
  const base = baseAddress();
  try {
    return new URL(from, base).href;
  } catch (cause) {
    const advice = base === undefined ? ": there is no page here that it could be relative to" : "";
    const shown = typeof from === "string" ? from : `a value of type ${typeof from}`;
    throw new RushlightError("ERR_BAD_ARGUMENT", `${shown} is not an address${advice}`, { cause });
  }
}

function baseAddress(): string | undefined {
  const { document } = globalThis as Partial<typeof globalThis>;
  if (document !== undefined) return document.baseURI;
  try {
    return (globalThis as Partial<typeof globalThis>).location?.href;
  } catch {
    // Deno has the property, and throws where no address was given on its command line.
    return undefined;
  }
}
