import { RushlightError } from "./errors.js";
import { browserStore, space } from "./store/browser.js";
import { storedBytes } from "./store/journal.js";

/** A file that the browser keeps, or a part of one. */
export interface CachedFile {
  /** Where it came from. The parts of a split model are files of their own. */
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
   * Removes a file; `false` where there was none. A model that was loaded from it goes on working. Fails with `ERR_STORAGE` while
   * the file is being loaded.
   */
  delete(url: string | URL): Promise<boolean>;
  /** Asks the browser not to clear the files when it needs room; it may ask the visitor. Whether it agreed. */
  persist(): Promise<boolean>;
  /** Bytes that the origin has stored, models and everything else, and may store. Zeros where the browser does not say. */
  estimate(): Promise<{ usage: number; quota: number }>;
}

/** The model files that the browser keeps for this page's origin. */
export const cache: Cache = {
  async list() {
    const entries = (await (await browserStore())?.list()) ?? [];
    const files = entries.map((entry): CachedFile => {
      const { url, bytes, complete, lastUsed, etag } = entry;
      const stored = storedBytes(entry);
      return { url, bytes: bytes ?? stored, complete, stored, lastUsed, etag };
    });
    return files.sort((a, b) => b.lastUsed - a.lastUsed);
  },

  async delete(from) {
    const url = new URL(from, globalThis.document.baseURI);
    url.hash = "";
    const store = await browserStore();
    const release = await store?.lock(url.href, { mode: "exclusive", now: true });
    if (store === undefined) return false;
    if (release === undefined) {
      throw new RushlightError("ERR_STORAGE", `${url.href} is being loaded, here or in another tab: delete it when that has ended`);
    }
    try {
      const entry = await store.lookup(url.href);
      // Also what is left of a file whose journal can't be read.
      await store.remove(url.href);
      return entry !== undefined;
    } finally {
      release();
    }
  },

  async persist() {
    const storage = (navigator as { readonly storage?: StorageManager }).storage;
    return (await storage?.persist()) ?? false;
  },

  async estimate() {
    return (await space.estimate()) ?? { usage: 0, quota: 0 };
  },
};
