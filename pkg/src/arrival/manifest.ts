// The hashes of a file's chunks, as `rushlight manifest` writes them beside the file.

import { RushlightError } from "../errors.js";

/** The largest chunk that a manifest may have: chunks are checked in memory. */
const MOST_CHUNK_BYTES = 64 << 20;

/** Length and hashes of a file. Hashes are SHA-256, in lower-case hexadecimal digits. */
export interface Manifest {
  /** Bytes of the file. */
  readonly bytes: number;
  /** Bytes of each chunk but the last, which has the rest. */
  readonly chunkBytes: number;
  /** Of the whole file. */
  readonly sha256: string;
  /** Of each chunk, in order. */
  readonly chunks: readonly string[];
}

/** Whether a text is a SHA-256 in lower-case hexadecimal digits. */
export function isHash(text: unknown): text is string {
  return typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
}

/** Reads a manifest; `from` is its address, for the message. */
export function parseManifest(text: string, from: string): Manifest {
  const wrong = (what: string): RushlightError =>
    new RushlightError("ERR_HASH", `${from} is no manifest that can be used: ${what}; write it with \`rushlight manifest\``);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw wrong("it is no JSON");
  }
  const { bytes, chunk_bytes: chunkBytes, sha256, chunks } = (json ?? {}) as Readonly<Record<string, unknown>>;
  if (!isCount(bytes)) throw wrong("bytes is no length");
  if (!isCount(chunkBytes) || chunkBytes === 0 || chunkBytes > MOST_CHUNK_BYTES) {
    throw wrong(`chunk_bytes: expected 1 to ${MOST_CHUNK_BYTES}, got ${String(chunkBytes)}`);
  }
  if (!isHash(sha256)) throw wrong("sha256 is no hash");
  if (!Array.isArray(chunks) || !chunks.every(isHash)) throw wrong("chunks is no list of hashes");
  const expected = Math.ceil(bytes / chunkBytes);
  if (chunks.length !== expected) throw wrong(`chunks: expected ${expected} of them, got ${chunks.length}`);
  return { bytes, chunkBytes, sha256, chunks };
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
