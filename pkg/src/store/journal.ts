// What is known of a stored file, as lines that are only ever appended. Each is the first 16 digits of the SHA-256 of what follows
// the space, and JSON. A line that was cut off ends the journal, so that a crash costs at most the last thing that was written.
// The journal never vouches for the data: it has the hash of each chunk, and whoever reads a chunk compares it.

import { type Bytes, Sha256 } from "../arrival/sha256.js";

/** Another number, another journal: files that an incompatible version stored count as not there. */
const FORMAT = 1;

const CHECKSUM_DIGITS = 16;

/** A line. */
export type JournalLine =
  /** A file is being stored, of which nothing is there yet. Only as a first line. */
  | {
      readonly kind: "begin";
      readonly format: number;
      readonly url: string;
      readonly bytes: number | null;
      readonly chunkBytes: number;
      readonly etag: string | null;
      readonly modified: string | null;
      /** Milliseconds since the epoch, as in the lines below. */
      readonly at: number;
    }
  /** A chunk is in the data file. */
  | { readonly kind: "chunk"; readonly index: number; readonly sha256: string }
  /** A chunk is not there any more, or is damaged. */
  | { readonly kind: "lost"; readonly index: number }
  /** The server calls the file so by now: its chunks were found to be the same. */
  | { readonly kind: "version"; readonly etag: string | null; readonly modified: string | null }
  /** All chunks are there. `sha256` is what the whole file was compared with, `manifest` whether its chunks were. */
  | {
      readonly kind: "whole";
      readonly bytes: number;
      readonly sha256: string | null;
      readonly manifest: boolean;
      readonly at: number;
    }
  /** The file was read. */
  | { readonly kind: "used"; readonly at: number };

/** What the lines together say. */
export interface Entry {
  readonly url: string;
  /** Bytes of the file; `null` while nobody knows. */
  bytes: number | null;
  readonly chunkBytes: number;
  etag: string | null;
  modified: string | null;
  /** Hashes of the chunks that are there, by their index. */
  readonly chunks: Map<number, string>;
  /** Whether the whole file is there and was found to be right. */
  complete: boolean;
  /** The hash that the whole file was found to have, where it was asked for. */
  sha256: string | null;
  /** Whether the chunks were compared with a manifest. */
  manifest: boolean;
  /** Milliseconds since the epoch. */
  lastUsed: number;
}

/** A first line. */
export function beginLine(about: Pick<Entry, "url" | "bytes" | "chunkBytes" | "etag" | "modified">, at: number): JournalLine {
  const { url, bytes, chunkBytes, etag, modified } = about;
  return { kind: "begin", format: FORMAT, url, bytes, chunkBytes, etag, modified, at };
}

/** A line as bytes. */
export function encodeLine(line: JournalLine): Bytes {
  const json = JSON.stringify(line);
  return new TextEncoder().encode(`${checksum(json)} ${json}\n`);
}

function checksum(json: string): string {
  return new Sha256().update(new TextEncoder().encode(json)).hex().slice(0, CHECKSUM_DIGITS);
}

/** Reads a journal up to its first bad line. `length` is the bytes before that. */
export function replay(bytes: Uint8Array): { readonly entry: Entry | undefined; readonly length: number } {
  let entry: Entry | undefined;
  let length = 0;
  for (;;) {
    const end = bytes.indexOf(10, length);
    if (end < 0) break;
    const line = decodeLine(new TextDecoder().decode(bytes.subarray(length, end)));
    if (line === undefined) break;
    const next = apply(entry, line);
    if (next === undefined) break;
    entry = next;
    length = end + 1;
  }
  return { entry, length };
}

function decodeLine(text: string): JournalLine | undefined {
  const json = text.slice(CHECKSUM_DIGITS + 1);
  if (text.slice(0, CHECKSUM_DIGITS + 1) !== `${checksum(json)} `) return undefined;
  try {
    // Nobody but this file writes lines with a right checksum.
    return JSON.parse(json) as JournalLine;
  } catch {
    return undefined;
  }
}

/** What is known after a line; `undefined` where the line can't stand there. */
export function apply(entry: Entry | undefined, line: JournalLine): Entry | undefined {
  if (line.kind === "begin") {
    if (entry !== undefined || line.format !== FORMAT) return undefined;
    const { url, bytes, chunkBytes, etag, modified, at } = line;
    const nothing = { chunks: new Map<number, string>(), complete: false, sha256: null, manifest: false };
    return { url, bytes, chunkBytes, etag, modified, ...nothing, lastUsed: at };
  }
  if (entry === undefined) return undefined;
  switch (line.kind) {
    case "chunk":
      entry.chunks.set(line.index, line.sha256);
      break;
    case "lost":
      entry.chunks.delete(line.index);
      entry.complete = false;
      break;
    case "version":
      Object.assign(entry, { etag: line.etag, modified: line.modified });
      break;
    case "whole":
      Object.assign(entry, { bytes: line.bytes, complete: true, sha256: line.sha256, manifest: line.manifest, lastUsed: line.at });
      break;
    case "used":
      entry.lastUsed = line.at;
      break;
  }
  return entry;
}

/** Bytes of the chunks that are there. */
export function storedBytes({ chunks, chunkBytes, bytes }: Entry): number {
  let stored = 0;
  for (const index of chunks.keys()) stored += chunkLength(index, chunkBytes, bytes);
  return stored;
}

/** Bytes of one chunk. */
export function chunkLength(index: number, chunkBytes: number, bytes: number | null): number {
  return bytes === null ? chunkBytes : Math.max(0, Math.min(chunkBytes, bytes - index * chunkBytes));
}
