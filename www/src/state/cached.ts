// The model files that are kept on this machine.

import { signal } from "@preact/signals";

import { type CachedFile, fileCache } from "../engine";
import { inFull } from "./catalogue";
import { fail, settle } from "./work";

/** A model that is kept. */
export interface KeptModel extends Pick<CachedFile, "bytes" | "complete" | "stored" | "lastUsed"> {
  /** Its file, or its folder, which ends with a slash: as it is asked for. */
  readonly url: string;
  /** All that is stored of it. */
  readonly files: readonly string[];
}

/** What is kept; `undefined` before it was looked up. */
export const kept = signal<readonly KeptModel[] | undefined>(undefined);

const WEIGHTS = "model.safetensors";

/** What the package fetches of a model that is a folder. */
const IN_FOLDER = [WEIGHTS, "config.json", "tokenizer.json", "sentence_bert_config.json", "1_Pooling/config.json"];

/** Files put together to models. */
function modelsOf(files: readonly CachedFile[]): KeptModel[] {
  const folders = files.filter(({ url }) => url.endsWith(`/${WEIGHTS}`)).map(({ url }) => url.slice(0, -WEIGHTS.length));
  const ofFolder = (folder: string): KeptModel => {
    const parts = files.filter(({ url }) => IN_FOLDER.some((name) => url === folder + name));
    const sum = (of: (file: CachedFile) => number): number => parts.reduce((total, file) => total + of(file), 0);
    return {
      url: folder,
      files: parts.map(({ url }) => url),
      bytes: sum(({ bytes }) => bytes),
      stored: sum(({ stored }) => stored),
      complete: parts.every(({ complete }) => complete),
      lastUsed: Math.max(...parts.map(({ lastUsed }) => lastUsed)),
    };
  };
  const whole = folders.map(ofFolder);
  const taken = new Set(whole.flatMap(({ files: urls }) => urls));
  return [...whole, ...files.filter(({ url }) => !taken.has(url)).map((file) => ({ ...file, files: [file.url] }))];
}

/** Bytes that this page uses and may use. */
export const storage = signal<{ readonly usage: number; readonly quota: number } | undefined>(undefined);

/** Whether the browser promised not to clear it by itself. */
export const persistent = signal(false);

/** Whether what is fetched can be kept; `undefined` before that was looked up. */
export const keeps = signal<boolean | undefined>(undefined);

/** What is kept of the model at an address. */
export function keptOf(url: string): KeptModel | undefined {
  const address = inFull(url);
  return kept.value?.find((each) => each.url === address);
}

/** Looks up what is kept; where that fails, `quietly` leaves it at that. */
export async function lookUp(quietly = false): Promise<void> {
  try {
    const models = modelsOf(await fileCache.list());
    kept.value = models.toSorted((a, b) => b.lastUsed - a.lastUsed);
    storage.value = await fileCache.estimate();
    persistent.value = await navigator.storage.persisted();
    keeps.value = storage.value.quota > 0;
    if (!quietly) settle("store");
  } catch (error) {
    kept.value ??= [];
    keeps.value = false;
    if (!quietly) fail(error, "store");
  }
}

/** Deletes a model. */
export async function discard({ files }: KeptModel): Promise<void> {
  settle("store");
  // One that could not be deleted does not keep the others.
  for (const url of files) {
    try {
      await fileCache.delete(url);
    } catch (error) {
      fail(error, "store");
    }
  }
  await lookUp(true);
}

/** Asks the browser to keep it all. */
export async function persist(): Promise<void> {
  try {
    persistent.value = await fileCache.persist();
  } catch (error) {
    fail(error, "store");
  }
}
