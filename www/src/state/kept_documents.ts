// What is kept of long documents on this machine: what their sentences mean, in numbers. Not their text.

import { signal } from "@preact/signals";

import { documentIndexes, type KeptIndex } from "../engine";
import { fail } from "./work";

/** What is kept; `undefined` before it was looked up. */
export const keptDocuments = signal<readonly KeptIndex[] | undefined>(undefined);

/** Looks up what is kept. */
export async function lookUpDocuments(): Promise<void> {
  try {
    keptDocuments.value = await documentIndexes.list();
  } catch (error) {
    keptDocuments.value ??= [];
    fail(error, "store");
  }
}

/** Deletes what is kept of a document. */
export async function discardDocument({ name }: KeptIndex): Promise<void> {
  try {
    await documentIndexes.delete(name);
  } catch (error) {
    fail(error, "store");
  }
  await lookUpDocuments();
}
