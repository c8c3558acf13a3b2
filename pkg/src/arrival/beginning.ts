// The beginning of one file from an address, for as long as somebody reads on: out of the store as far as it is there, else from the
// network in growing pieces. Nothing is stored.

import { type Entry, storedBytes } from "../store/journal.js";
import type { World } from "./arrive.js";
import { readBody } from "./body.js";
import { isBegunOf, isCurrent, versionOf } from "./current.js";
import { agree, type Answer, Remote, type Version } from "./remote.js";
import { broken, type Hold, plain, Retries, retried } from "./retry.js";
import type { Bytes } from "./sha256.js";

/** Pieces double up to this. */
const MOST_BYTES = 16 << 20;

/** The beginning of a file. */
export interface Beginning {
  /** Bytes of the file, where known. */
  readonly fileBytes: number | undefined;
  /** What the server announces where that is not certain: for the eyes. */
  readonly expected?: number | undefined;
  /** Bytes of it that a load need not fetch. */
  readonly stored: number;
  readonly chunks: AsyncGenerator<Uint8Array, void, undefined>;
}

/** Begin and end of each piece. */
export function* pieces(firstBytes: number): Generator<[begin: number, end: number], never, undefined> {
  let begin = 0;
  for (let size = firstBytes; ; size = Math.min(2 * size, MOST_BYTES)) {
    yield [begin, begin + size];
    begin += size;
  }
}

/** Opens the beginning of a file, which may be stored under a `key`; its first piece has `firstBytes`. */
export async function beginningOf(url: string, firstBytes: number, world: World, signal: AbortSignal, key = url): Promise<Beginning> {
  const reading = new Reading(url, key, firstBytes, world, signal);
  try {
    return await reading.open();
  } catch (error) {
    throw plain(error);
  }
}

/** Bytes of a file that a load would have to fetch, where known. Fails where the server says that there is none. */
export async function bytesToFetch(url: string, world: World, signal: AbortSignal, key?: string): Promise<number | undefined> {
  const { fileBytes, expected, stored, chunks } = await beginningOf(url, 1, world, signal, key);
  // The connection must not stay open for the rest.
  for await (const chunk of chunks) if (chunk.length > 0) break;
  const bytes = fileBytes ?? expected;
  return bytes === undefined ? undefined : Math.max(0, bytes - stored);
}

class Reading {
  readonly #key: string;
  readonly #firstBytes: number;
  readonly #world: World;
  readonly #signal: AbortSignal;
  readonly #remote: Remote;
  readonly #hold: Hold = { until: 0 };

  constructor(url: string, key: string, firstBytes: number, world: World, signal: AbortSignal) {
    this.#key = key;
    this.#firstBytes = firstBytes;
    this.#world = world;
    this.#signal = signal;
    this.#remote = new Remote(url, world.fetch, world.patience.silenceMs);
  }

  async open(): Promise<Beginning> {
    const entry = await this.#world.store?.lookup(this.#key);
    if (entry?.complete === true && (await isCurrent(entry, this.#remote, this.#world.patience, this.#signal))) {
      return this.#beginning(versionOf(entry), entry);
    }
    if (entry?.chunks.has(0) === true) {
      // Nothing of its first piece has to be fetched, if it is still the same file.
      const version = await this.#retried(() => this.#remote.peek(this.#signal));
      return this.#beginning(version, entry);
    }
    const first = await this.#retried(() => this.#remote.get(0, this.#firstBytes, this.#signal));
    return this.#beginning(first.version, entry, first);
  }

  #beginning(version: Version, entry: Entry | undefined, first?: Answer): Beginning {
    const kept = entry !== undefined && (entry.complete ? agree(versionOf(entry), version) : isBegunOf(entry, version)) ? entry : undefined;
    const stored = kept === undefined ? 0 : storedBytes(kept);
    return { fileBytes: version.total, expected: version.announced, stored, chunks: this.#chunks(version, kept, first) };
  }

  async *#chunks(version: Version, kept: Entry | undefined, first: Answer | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    // Without a lock: a chunk that somebody is writing has another hash, and counts as not there.
    const reader = kept === undefined ? undefined : await this.#world.store?.snapshot(kept);
    let answer = first;
    let at = 0;
    try {
      for (const [, end] of pieces(this.#firstBytes)) {
        while (at < end) {
          if (version.total !== undefined && at >= version.total) return;
          const index = kept === undefined ? 0 : Math.floor(at / kept.chunkBytes);
          const chunk = kept?.chunks.has(index) === true ? await reader?.chunk(index) : undefined;
          if (chunk !== undefined && kept !== undefined) {
            yield chunk.subarray(at - index * kept.chunkBytes);
            at = index * kept.chunkBytes + chunk.length;
            continue;
          }
          const got = await this.#retried(() => this.#piece(at, end, version, answer).finally(() => (answer = undefined)));
          if (!(got instanceof Uint8Array)) return yield* this.#whole(at, got);
          yield got;
          at += got.length;
        }
      }
    } catch (error) {
      throw plain(error);
    } finally {
      void answer?.body.cancel().catch(() => undefined);
    }
  }

  /** A piece, or the whole file where that is what the server gives. `first` is an answer that is there already. */
  async #piece(begin: number, end: number, version: Version, first: Answer | undefined): Promise<Bytes | Answer> {
    const answer = first ?? (await this.#remote.get(begin, end, this.#signal));
    if (!agree(answer.version, version)) {
      void answer.body.cancel().catch(() => undefined);
      throw this.#remote.changed();
    }
    if (!answer.ranged) return answer;
    const bytes = new Uint8Array(end - begin);
    let length = 0;
    for await (const part of this.#read(answer)) {
      bytes.set(part.subarray(0, bytes.length - length), length);
      length = Math.min(bytes.length, length + part.length);
    }
    if (length === 0) throw broken(`fetching ${this.#remote.url}`, new Error("the server sent nothing"));
    return bytes.subarray(0, length);
  }

  /** From `begin` on, of a server that only gives whole files. */
  async *#whole(begin: number, first: Answer): AsyncGenerator<Uint8Array, void, undefined> {
    const retries = this.#retries();
    let answer: Answer | undefined = first;
    let at = begin;
    for (;;) {
      try {
        let seen = 0;
        answer ??= await this.#remote.getWhole(this.#signal);
        for await (const part of this.#read(answer)) {
          const fresh = part.subarray(Math.max(0, at - seen));
          seen += part.length;
          if (fresh.length === 0) continue;
          at += fresh.length;
          retries.progress();
          yield fresh;
        }
        return;
      } catch (error) {
        answer = undefined;
        await retries.after(error, this.#remote.reached, this.#signal);
      }
    }
  }

  #read({ body }: Answer): AsyncGenerator<Uint8Array, void, undefined> {
    return readBody(body, `fetching ${this.#remote.url}`, this.#signal, this.#world.patience.silenceMs);
  }

  #retries(): Retries {
    return new Retries(this.#world.patience, this.#world.random, this.#hold);
  }

  async #retried<T>(work: () => Promise<T>): Promise<T> {
    return await retried(work, this.#retries(), this.#remote, this.#signal);
  }
}
