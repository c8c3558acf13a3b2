// The store of this browser.

import { Catalogue } from "./catalogue.js";
import { type Folder, opfsFolder } from "./files.js";
import { type Locks, webLocks } from "./locks.js";
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
  const parts = await partsOfStore();
  return parts && new Store(...parts, space);
}

/** The same, to be listed and removed. */
export async function browserCatalogue(): Promise<Catalogue | undefined> {
  const parts = await partsOfStore();
  return parts && new Catalogue(...parts);
}

async function partsOfStore(): Promise<[Folder, Locks] | undefined> {
  const locks = webLocks();
  const folder = locks && (await opfsFolder("rushlight", "files"));
  return folder && [folder, locks];
}
