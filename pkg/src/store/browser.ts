// The store of this browser.

import { opfsFolder } from "./files.js";
import { webLocks } from "./locks.js";
import { type Space, Store } from "./store.js";

/** The origin's storage; `undefined` on servers, and where the browser or the address has none. */
export function storageManager(): StorageManager | undefined {
  return (globalThis.navigator as { readonly storage?: StorageManager } | undefined)?.storage;
}

/** The origin's storage, as far as it says. */
export const space: Space = {
  async estimate() {
    const { usage, quota } = (await storageManager()?.estimate()) ?? {};
    return usage === undefined || quota === undefined ? undefined : { usage, quota };
  },
};

/** The files that models are loaded from; `undefined` where the browser keeps none for this page. */
export async function browserStore(): Promise<Store | undefined> {
  const locks = webLocks();
  const folder = locks === undefined ? undefined : await opfsFolder("rushlight", "files");
  return locks === undefined || folder === undefined ? undefined : new Store(folder, locks, space);
}
