import { guarded } from "./conversations.js";
import { RushlightError } from "./errors.js";
import { addressOf } from "./file-source.js";
import { browserCatalogue, space, storageManager } from "./store/browser.js";
import { storedBytes } from "./store/journal.js";
import type { Catalogue } from "./store/catalogue.js";

/** A file that the browser keeps, or a part of one. */
export interface CachedFile {
  /** Where it came from, or its `cacheKey`. The parts of a split model are files of their own. */
  readonly url: string;
  /** Bytes of the file; those that are stored where the server did not say. */
  readonly bytes: number;
  /** Whether all of it is there and was found to be right. */
  readonly complete: boolean;
  /** Bytes that are there. A later load fetches the rest. */
  readonly stored: number;
  /** Milliseconds since the epoch, to the minute. */
  readonly lastUsed: number;
  /** What the server calls this version, where it shows that. */
  readonly etag: string | null;
}

/** The model files that the browser keeps for this page's origin. */
export interface Cache {
  /** All of them, those used last first. Empty where the browser keeps none. */
  list(): Promise<CachedFile[]>;
  /**
   * Removes a file by its address or by its `cacheKey`, then with all files of that model; `false` where there was none. A model that was
   * loaded from it goes on working. Fails with `ERR_STORAGE` while the file is being loaded.
   */
  delete(url: string | URL): Promise<boolean>;
  /**
   * Asks the browser not to clear the files when it needs room; it may ask the visitor. Whether it agreed; `false` where it can't be asked.
   */
  persist(): Promise<boolean>;
  /** Bytes that the origin has stored, models and everything else, and may store. Zeros where the browser does not say. */
  estimate(): Promise<{ usage: number; quota: number }>;
}

/** The model files that the browser keeps for this page's origin. Where it keeps none, as on servers, there is nothing and no error. */
export const cache: Cache = {
  async list() {
    const entries = (await guarded("listing what is stored", async () => (await browserCatalogue())?.list())) ?? [];
    const files = entries.map((entry): CachedFile => {
      const { url, bytes, complete, lastUsed, etag } = entry;
      const stored = storedBytes(entry);
      return { url, bytes: bytes ?? stored, complete, stored, lastUsed, etag };
    });
    return files.sort((a, b) => b.lastUsed - a.lastUsed);
  },

  async delete(from) {
    return await guarded("deleting what is stored", async () => {
      const store = await browserCatalogue();
      if (store === undefined) return false;
      const keys = await keysOf(store, from);
      const removed = [];
      for (const key of keys) removed.push(await remove(store, key));
      return removed.includes(true);
    });
  },

  async persist() {
    try {
      return (await storageManager()?.persist()) ?? false;
    } catch {
      return false;
    }
  },

  async estimate() {
    return (await space.estimate().catch(() => undefined)) ?? { usage: 0, quota: 0 };
  },
};

/** What is meant: a key that files are stored under, with those that belong to it; else an address. */
async function keysOf(store: Catalogue, from: string | URL): Promise<string[]> {
  if (typeof from === "string") {
    // Addresses are stored without a fragment: what has one belongs to a key.
    const own = (await store.list()).map(({ url }) => url).filter((key) => key === from || key.startsWith(`${from}#`));
    if (own.length > 0) return own;
  }
  const address = new URL(addressOf(from));
  address.hash = "";
  return [address.href];
}

async function remove(store: Catalogue, key: string): Promise<boolean> {
  const release = await store.lock(key, { mode: "exclusive", now: true });
  if (release === undefined) {
    throw new RushlightError("ERR_STORAGE", `${key} is being loaded, here or in another tab: delete it when that has ended`);
  }
  try {
    const entry = await store.lookup(key);
    // Also what is left of a file whose journal can't be read.
    await store.remove(key);
    return entry !== undefined;
  } finally {
    release();
  }
}
