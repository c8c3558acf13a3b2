// One stored file, open for reading or for writing. Whatever is read is compared with the hash that it was written with.

import { type Bytes, sha256 } from "../arrival/sha256.js";
import { storageError } from "./failure.js";
import type { OpenFile } from "./files.js";
import { apply, beginLine, chunkLength, encodeLine, type Entry, type JournalLine, replay } from "./journal.js";

/** A file that is only read. */
export class StoredReader {
  readonly #entry: Entry;
  readonly #data: Blob | undefined;

  constructor(entry: Entry, data: Blob | undefined) {
    this.#entry = entry;
    this.#data = data;
  }

  /** A chunk; `undefined` where it is not as it was written. */
  async chunk(index: number): Promise<Bytes | undefined> {
    const { chunkBytes, bytes, chunks } = this.#entry;
    const at = index * chunkBytes;
    try {
      const slice = this.#data?.slice(at, at + chunkLength(index, chunkBytes, bytes));
      const content = new Uint8Array((await slice?.arrayBuffer()) ?? new ArrayBuffer(0));
      return (await sha256(content)) === chunks.get(index) ? content : undefined;
    } catch {
      return undefined;
    }
  }
}

/** A file that is being stored. */
export class StoredWriter {
  readonly #url: string;
  readonly #data: OpenFile;
  readonly #journal: OpenFile;
  readonly #now: () => number;
  /** Where the next line goes. */
  #end: number;
  #entry: Entry | undefined;

  constructor(url: string, data: OpenFile, journal: OpenFile, now: () => number) {
    this.#url = url;
    this.#data = data;
    this.#journal = journal;
    this.#now = now;
    const { entry, length } = replay(readAll(journal));
    this.#end = length;
    this.#entry = entry?.url === url ? entry : undefined;
  }

  /** What is known of the file. */
  get entry(): Entry | undefined {
    return this.#entry;
  }

  /** Whether a chunk is there. It may turn out to be damaged when it is read. */
  has(index: number): boolean {
    return this.#entry?.chunks.has(index) ?? false;
  }

  /**
   * Begins anew: forgets whatever is there. The file gets its room at once: browsers set more aside than is needed for one that
   * grows.
   */
  begin(about: Pick<Entry, "bytes" | "chunkBytes" | "etag" | "modified">): void {
    this.#guarded(() => {
      this.#journal.truncate(0);
      this.#data.truncate(0);
      this.#data.truncate(about.bytes ?? 0);
      this.#end = 0;
      this.#entry = undefined;
      this.#append(beginLine({ url: this.#url, ...about }, this.#now()));
    });
  }

  /** What is there is also this version of the file. */
  confirm(version: Pick<Entry, "etag" | "modified">): void {
    this.#guarded(() => {
      this.#append({ kind: "version", ...version });
    });
  }

  /** Stores a chunk. */
  put(index: number, bytes: Bytes, hash: string): void {
    this.#guarded(() => {
      this.#data.write(bytes, index * this.#chunkBytes);
      this.#append({ kind: "chunk", index, sha256: hash });
    });
  }

  /** Forgets a chunk. */
  lose(index: number): void {
    this.#guarded(() => {
      this.#append({ kind: "lost", index });
    });
  }

  /** A chunk; `undefined` where it is not as it was written, and it is then forgotten. */
  async chunk(index: number): Promise<Bytes | undefined> {
    const expected = this.#entry?.chunks.get(index);
    if (expected === undefined) return undefined;
    const bytes = new Uint8Array(chunkLength(index, this.#chunkBytes, this.#entry?.bytes ?? null));
    const length = this.#guarded(() => this.#data.read(bytes, index * this.#chunkBytes));
    const content = bytes.subarray(0, length);
    if ((await sha256(content)) === expected) return content;
    this.lose(index);
    return undefined;
  }

  /** All chunks are there, and the file is right as far as it was asked for. */
  finish(about: { readonly bytes: number; readonly sha256: string | null; readonly manifest: boolean }): void {
    this.#guarded(() => {
      this.#data.truncate(about.bytes);
      this.#data.flush();
      this.#append({ kind: "whole", ...about, at: this.#now() });
      this.#journal.flush();
    });
  }

  /** Gives the files back. */
  close(): void {
    this.#data.close();
    this.#journal.close();
  }

  get #chunkBytes(): number {
    return this.#entry?.chunkBytes ?? 0;
  }

  #append(line: JournalLine): void {
    const bytes = encodeLine(line);
    // What a crash left behind the last good line.
    if (this.#journal.size() > this.#end) this.#journal.truncate(this.#end);
    this.#journal.write(bytes, this.#end);
    this.#end += bytes.length;
    this.#entry = apply(this.#entry, line);
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storageError(this.#url, error);
    }
  }
}

/** The bytes of a small file. */
export function readAll(file: OpenFile): Bytes {
  const bytes = new Uint8Array(file.size());
  return bytes.subarray(0, file.read(bytes, 0));
}
