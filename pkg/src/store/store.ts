// What is stored, open for reading and writing, and with room made for it.

import { RushlightError } from "../errors.js";
import { Catalogue, DATA, type Names, namesOf, namesOfKey } from "./catalogue.js";
import { guard } from "./failure.js";
import type { Folder } from "./files.js";
import { encodeLine, type Entry, replay } from "./journal.js";
import type { Locks } from "./locks.js";
import { readAll, StoredReader, StoredWriter } from "./stored.js";

/** What the origin may store. */
export interface Space {
  estimate(): Promise<{ readonly usage: number; readonly quota: number } | undefined>;
}

/** Last uses closer than this are one: each is a line of the journal. */
const USE_INTERVAL_MS = 60_000;

/** Files that were begun and not touched for so long count as given up. */
const GIVEN_UP_MS = 7 * 24 * 3600_000;

/** Room for the journal, and for what the browser itself adds: so much, and a share of the file. */
const SPARE_BYTES = 1 << 16;
const SPARE_SHARE = 1 / 1024;

/** Everything that is stored, and what may still be. */
export class Store extends Catalogue {
  readonly #space: Space;
  readonly #now: () => number;

  constructor(folder: Folder, locks: Locks, space: Space, now: () => number = Date.now) {
    super(folder, locks);
    this.#space = space;
    this.#now = now;
  }

  /** Opens a complete file for reading, and notes that it is used. The caller holds its lock. */
  async read(entry: Entry): Promise<StoredReader> {
    await this.#use(namesOf(entry.url), entry);
    return await this.snapshot(entry);
  }

  /** Opens a file, complete or not, as it is now. It takes no lock: what is written meanwhile counts as not there. */
  async snapshot(entry: Entry): Promise<StoredReader> {
    return new StoredReader(entry, await guard(entry.url, () => this.folder.snapshot(namesOf(entry.url).data)));
  }

  /** Opens a file for writing. The caller holds its lock alone. */
  async write(url: string): Promise<StoredWriter> {
    const names = namesOf(url);
    return await guard(url, async () => {
      const data = await this.folder.open(names.data);
      try {
        return new StoredWriter(url, data, await this.folder.open(names.journal), this.#now);
      } catch (error) {
        data.close();
        throw error;
      }
    });
  }

  /**
   * Sees to it that a file of so many bytes can be stored: removes what a crash left behind, then complete files and those that were
   * given up, the least recently used first, but none that is locked or is to be kept. Where all of that would not be enough
   * nothing is removed, and it fails with `ERR_QUOTA`.
   */
  async makeRoom(url: string, bytes: number, keep: readonly string[]): Promise<void> {
    const space = await this.#space.estimate();
    if (space === undefined) return;
    // A file that was begun has its room already.
    const claimed = (await this.folder.snapshot(namesOf(url).data))?.size ?? 0;
    const needed = Math.max(0, bytes - claimed) + SPARE_BYTES + Math.ceil(bytes * SPARE_SHARE);
    const missing = needed - Math.max(0, space.quota - space.usage);
    if (missing <= 0) return;
    await this.#remove(missing, url, keep, (possible) => noRoom(url, needed, space, possible));
  }

  /** As `makeRoom`, when the browser has refused the room although its estimate was higher: some only ever say the same. */
  async freeRoom(url: string, bytes: number, keep: readonly string[], cause: unknown): Promise<void> {
    await this.#remove(bytes, url, keep, () => {
      const message = `${url}: keeping this file takes ${size(bytes)}, which the browser refuses: ${ADVICE}`;
      return new RushlightError("ERR_QUOTA", message, { cause });
    });
  }

  /** Removes so many bytes, or nothing if there are fewer. */
  async #remove(
    bytes: number,
    url: string,
    keep: readonly string[],
    refusal: (possible: number) => RushlightError,
  ): Promise<void> {
    const kept = new Set([url, ...keep].map((address) => namesOf(address).data));
    const candidates = (await this.#candidates()).filter(({ names }) => !kept.has(names.data));
    const possible = candidates.reduce((sum, candidate) => sum + candidate.bytes, 0);
    if (possible < bytes) throw refusal(possible);
    let missing = bytes;
    for (const candidate of candidates) {
      if (missing <= 0) return;
      const release = await this.locks.acquire(candidate.names.lock, { mode: "exclusive", now: true });
      if (release === undefined) continue;
      try {
        await this.folder.remove(candidate.names.journal);
        await this.folder.remove(candidate.names.data);
        missing -= candidate.bytes;
      } catch {
        // Somebody without a lock has it open.
      } finally {
        release();
      }
    }
    if (missing > 0) throw refusal(0);
  }

  /** What may be removed, in the order in which to remove it. */
  async #candidates(): Promise<{ names: Names; bytes: number; lastUsed: number }[]> {
    const found = [];
    for (const name of await this.folder.names()) {
      if (!name.endsWith(DATA)) continue;
      const names = namesOfKey(name.slice(0, -DATA.length));
      const entry = await this.entryOf(names.journal);
      const bytes = (await this.folder.snapshot(name))?.size ?? 0;
      const idle = entry === undefined || entry.complete || entry.lastUsed < this.#now() - GIVEN_UP_MS;
      if (idle) found.push({ names, bytes, lastUsed: entry?.lastUsed ?? 0 });
    }
    return found.sort((a, b) => a.lastUsed - b.lastUsed);
  }

  async #use(names: Names, entry: Entry): Promise<void> {
    if (this.#now() - entry.lastUsed < USE_INTERVAL_MS) return;
    try {
      const journal = await this.folder.open(names.journal);
      try {
        const { length } = replay(readAll(journal));
        journal.write(encodeLine({ kind: "used", at: this.#now() }), length);
      } finally {
        journal.close();
      }
    } catch {
      // Another reader has it open, and notes the same.
    }
  }
}

const ADVICE = 'make room with cache.delete, ask for more with cache.persist, or load with cache: "none"';

function noRoom(url: string, bytes: number, space: { usage: number; quota: number }, possible: number): RushlightError {
  const free = Math.max(0, space.quota - space.usage) + possible;
  const message =
    `${url}: keeping this file takes ${size(bytes)}, and the browser has room for ${size(free)} ` +
    `(it gives this site ${size(space.quota)}, of which ${size(space.usage)} are used): ${ADVICE}`;
  return new RushlightError("ERR_QUOTA", message);
}

/** Bytes for people. */
function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`;
}
