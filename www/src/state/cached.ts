// The model files that are kept on this machine.

import { signal } from "@preact/signals";

import { type CachedFile, fileCache } from "../engine";
import { fail } from "./work";

/** What is kept; `undefined` before it was looked up. */
export const kept = signal<readonly CachedFile[] | undefined>(undefined);

/** Bytes that this page uses and may use. */
export const storage = signal<{ readonly usage: number; readonly quota: number } | undefined>(undefined);

/** Whether the browser promised not to clear it by itself. */
export const persistent = signal(false);

/** Looks up what is kept. */
export async function lookUp(): Promise<void> {
  try {
    const files = await fileCache.list();
    kept.value = files.toSorted((a, b) => b.lastUsed - a.lastUsed);
    storage.value = await fileCache.estimate();
    persistent.value = await navigator.storage.persisted();
  } catch (error) {
    kept.value ??= [];
    fail(error);
  }
}

/** Deletes a file. */
export async function discard(url: string): Promise<void> {
  try {
    await fileCache.delete(url);
  } catch (error) {
    fail(error);
  }
  await lookUp();
}

/** Asks the browser to keep it all. */
export async function persist(): Promise<void> {
  try {
    persistent.value = await fileCache.persist();
  } catch (error) {
    fail(error);
  }
}
