// Where a manifest comes from.

import { RushlightError } from "../errors.js";
import { readBody } from "./body.js";
import { type Manifest, parseManifest } from "./manifest.js";
import type { Remote } from "./remote.js";
import { Passing } from "./retry.js";

/** What is appended to a file's address where its manifest is looked for: `rushlight manifest` writes it there. */
const MANIFEST_SUFFIX = ".sha256.json";

/** The largest manifest that is read: that of a file of 200 GB. */
const MOST_BYTES = 16 << 20;

/** The address that is tried for the manifest of a file. */
export function manifestBeside(url: string): string {
  const address = new URL(url);
  address.pathname += MANIFEST_SUFFIX;
  return address.href;
}

/**
 * The manifest at an address. An `optional` one may be missing; a server that can't be reached is no failure either for a file
 * that can do without it, `offline`.
 */
export async function findManifest(
  from: string,
  read: () => Promise<string>,
  { optional, offline }: { readonly optional: boolean; readonly offline: boolean },
): Promise<Manifest | undefined> {
  let text;
  try {
    text = await read();
  } catch (error) {
    const cause = error instanceof Passing ? error.error : error;
    // Many servers answer unknown addresses with a page.
    if (optional && cause instanceof RushlightError && cause.code === "ERR_BAD_FILE") return undefined;
    if (!(cause instanceof RushlightError) || cause.code !== "ERR_NETWORK") throw cause;
    // That there is none must be said: a server that only fails to answer would make every file an unchecked one.
    if (error instanceof Passing ? offline : optional) return undefined;
    throw cause;
  }
  // Also where they do not call it one.
  return optional && !text.trimStart().startsWith("{") ? undefined : parseManifest(text, from);
}

/** The text of a manifest. */
export async function readText(remote: Remote, signal: AbortSignal, silenceMs: number): Promise<string> {
  const { body } = await remote.getWhole(signal);
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of readBody(body, `fetching ${remote.url}`, signal, silenceMs)) {
    text += decoder.decode(piece, { stream: true });
    if (text.length > MOST_BYTES) throw new RushlightError("ERR_HASH", `${remote.url} is no manifest: it is too long`);
  }
  return text + decoder.decode();
}
