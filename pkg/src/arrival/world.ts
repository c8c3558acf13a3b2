// The browser's network and storage, as a load sees them.

import { RushlightError } from "../errors.js";
import { browserStore } from "../store/browser.js";
import type { CacheChoice } from "../types.js";
import type { World } from "./arrive.js";
import { PATIENCE } from "./retry.js";

/** Bytes that are checked and stored at a time: what an interruption costs for each connection at most. */
const CHUNK_BYTES = 1 << 20;

/** Bytes that are asked for at a time. */
const SEGMENT_BYTES = 4 << 20;

const UNABLE = "this browser keeps no files for this page (a private window, or no https)";

/** The world of one load. Without a wish files are kept where the browser can. */
export async function browserWorld(cache: CacheChoice | null): Promise<World> {
  const store = cache === "none" || !canWrite() ? undefined : await browserStore().catch(() => undefined);
  const unkept = store !== undefined ? undefined : cache === "none" ? 'not kept: cache: "none" was asked for' : UNABLE;
  if (cache === "opfs" && store === undefined) throw new RushlightError("ERR_STORAGE", `${UNABLE}: load with cache: "none"`);
  return {
    fetch: (url, init) => fetch(url, init),
    store,
    unkept,
    patience: PATIENCE,
    random: Math.random,
    chunkBytes: CHUNK_BYTES,
    segmentBytes: SEGMENT_BYTES,
  };
}

/** Whether files can be written at any place: browsers had the file system some time before this. */
function canWrite(): boolean {
  const handle = (globalThis as { readonly FileSystemFileHandle?: { readonly prototype: object } }).FileSystemFileHandle;
  return handle !== undefined && "createSyncAccessHandle" in handle.prototype;
}
