// The documents that can be asked. They live in this tab and are gone with it.

import { signal } from "@preact/signals";

import { RushlightError } from "../engine";
import { type DocumentText, pastedDocument, readDocument } from "../read/index";
import { follow, type Progress } from "../words/progress";
import { fail, failure } from "./work";

/** A document of this page. */
export interface Doc extends DocumentText {
  readonly id: number;
}

/** The documents, in the order in which they came. */
export const documents = signal<readonly Doc[]>([]);

/** The one that is shown. */
export const shown = signal<number | undefined>(undefined);

/** The file that is being read. */
export const reading = signal<{ readonly title: string; readonly progress: Progress | undefined } | undefined>(undefined);

let next = 1;
let reader: AbortController | undefined;
/** Files that come while others are read wait for them. */
let queue: Promise<void> = Promise.resolve();

function add(document: DocumentText): void {
  const doc = { ...document, id: next++ };
  documents.value = [...documents.value, doc];
  shown.value = doc.id;
}

/** Reads files, one after the other; one that cannot be read does not keep the others away. */
export async function addFiles(files: readonly File[]): Promise<void> {
  queue = queue.then(() => readAll(files));
  await queue;
}

async function readAll(files: readonly File[]): Promise<void> {
  reader = new AbortController();
  const { signal } = reader;
  failure.value = undefined;
  for (const file of files) {
    const measure = follow("pages");
    const onPage = (done: number, total: number): void => {
      reading.value = { title: file.name, progress: measure(done, total) };
    };
    reading.value = { title: file.name, progress: undefined };
    try {
      add(await readDocument(file, { signal, onPage }));
    } catch (error) {
      if (error instanceof RushlightError && error.code === "ERR_ABORTED") break;
      fail(error);
    }
  }
  reading.value = undefined;
  reader = undefined;
}

/** Ends the reading of files. */
export function stopReading(): void {
  reader?.abort();
}

/** Takes text that was pasted; says whether it was any. */
export function addText(text: string): boolean {
  try {
    add(pastedDocument(text));
    failure.value = undefined;
    return true;
  } catch (error) {
    fail(error);
    return false;
  }
}

/** Takes a document away. */
export function remove(id: number): void {
  documents.value = documents.value.filter((doc) => doc.id !== id);
  if (shown.value === id) shown.value = documents.value.at(-1)?.id;
}

/** The page that an offset lies on, from 1; `undefined` for documents without pages. */
export function pageOf({ kind, pages }: DocumentText, offset: number): number | undefined {
  return kind === "pdf" ? pages.findLastIndex((start) => start <= offset) + 1 : undefined;
}
