// What is stored: each file by its address or its key, with a data file and a journal of its own, so that nothing is shared that two
// tabs could break. Apart from `store.ts`, since a page only lists and removes.

import { Sha256 } from "../arrival/sha256.js";
import { guard } from "./failure.js";
import type { Folder } from "./files.js";
import { type Entry, replay } from "./journal.js";
import type { LockOptions, Locks, Release } from "./locks.js";

/** Names of the two files of an address. */
export interface Names {
  readonly data: string;
  readonly journal: string;
  readonly lock: string;
}

/** Everything that is stored. */
export class Catalogue {
  protected readonly folder: Folder;
  protected readonly locks: Locks;

  constructor(folder: Folder, locks: Locks) {
    this.folder = folder;
    this.locks = locks;
  }

  /** Locks a file: whoever reads holds it shared, whoever writes or removes alone. */
  async lock(url: string, options: LockOptions): Promise<Release | undefined> {
    return await this.locks.acquire(namesOf(url).lock, options);
  }

  /** What is known of a file. */
  async lookup(url: string): Promise<Entry | undefined> {
    const entry = await this.entryOf(namesOf(url).journal);
    return entry?.url === url ? entry : undefined;
  }

  /** Removes a file. The caller holds its lock alone. */
  async remove(url: string): Promise<void> {
    const names = namesOf(url);
    await guard(url, async () => {
      // Without its journal the data is nothing.
      await this.folder.remove(names.journal);
      await this.folder.remove(names.data);
    });
  }

  /** What is known of all files. */
  async list(): Promise<Entry[]> {
    const journals = (await this.folder.names()).filter((name) => name.endsWith(JOURNAL));
    const entries = await Promise.all(journals.map((name) => this.entryOf(name)));
    return entries.filter((entry) => entry !== undefined);
  }

  /** What a journal says. */
  protected async entryOf(journal: string): Promise<Entry | undefined> {
    for (let tries = 0; ; tries++) {
      try {
        const snapshot = await this.folder.snapshot(journal);
        return snapshot === undefined ? undefined : replay(new Uint8Array(await snapshot.arrayBuffer())).entry;
      } catch {
        // A snapshot can't be read once the file has changed; what can't be read at all counts as not there.
        if (tries === 3) return undefined;
      }
    }
  }
}

/** Endings of the two files. */
export const DATA = ".data";
const JOURNAL = ".journal";

/** The names of an address or a key. */
export function namesOf(url: string): Names {
  return namesOfKey(new Sha256().update(new TextEncoder().encode(url)).hex().slice(0, 40));
}

/** The names of what `namesOf` made of one. */
export function namesOfKey(key: string): Names {
  return { data: key + DATA, journal: key + JOURNAL, lock: `rushlight ${key}` };
}
