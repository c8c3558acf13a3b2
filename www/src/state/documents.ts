// The documents that can be asked. They live in this tab and are gone with it.

import { signal } from "@preact/signals";

import { RushlightError } from "../engine";
import { type DocumentText, pastedDocument, readDocument } from "../read/index";
import { follow, type Progress } from "../words/progress";
import { fail, settle } from "./work";

/** A document of this page. */
export interface Doc extends DocumentText {
  readonly id: number;
  readonly words: number;
  /** Numbers of its pages without a letter on them, from 1: pictures of text, or empty. */
  readonly without: readonly number[];
}

/** What there is to say of the documents that came last. */
export const note = signal("");

/** The documents, in the order in which they came. */
export const documents = signal<readonly Doc[]>([]);

/** The one that is shown. */
export const shown = signal<number | undefined>(undefined);

/** The file that is being read. */
export const reading = signal<{ readonly title: string; readonly progress: Progress | undefined } | undefined>(undefined);

let next = 1;
let reader: AbortController | undefined;
/** Batches of files that are not read yet. */
let waitingFiles = 0;
/** Files that come while others are read wait for them. */
let queue: Promise<void> = Promise.resolve();

function add(document: DocumentText): void {
  const doc = { ...document, id: next++, words: countWords(document.text), without: pagesWithout(document) };
  if (doc.without.length > 0) note.value = `${note.value} ${doc.title}: ${withoutText(doc.without)}.`.trim();
  documents.value = [...documents.value, doc];
  shown.value = doc.id;
}

/** Reads files, one after the other; one that cannot be read does not keep the others away. */
export async function addFiles(files: readonly File[]): Promise<void> {
  // What is said of files that are still being read stays.
  if (reader === undefined && waitingFiles === 0) clear();
  waitingFiles++;
  queue = queue.then(() => readAll(files));
  await queue;
}

async function readAll(files: readonly File[]): Promise<void> {
  waitingFiles--;
  reader = new AbortController();
  const { signal } = reader;
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
      fail(error, "files");
    }
  }
  reading.value = undefined;
  reader = undefined;
}

function clear(): void {
  settle("files");
  note.value = "";
}

/** Words between white space, once and without a copy of each: a text may have a million. */
function countWords(text: string): number {
  let count = 0;
  let within = false;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    const space = unit < 128 ? unit === 32 || (unit >= 9 && unit <= 13) : WIDE_SPACE.test(text.charAt(at));
    if (!space && !within) count++;
    within = !space;
  }
  return count;
}

const WIDE_SPACE = /\s/;

function pagesWithout({ kind, text, pages }: DocumentText): number[] {
  if (kind !== "pdf") return [];
  const letters = pages.map((start, at) => /\p{L}/u.test(text.slice(start, pages[at + 1])));
  return letters.flatMap((some, at) => (some ? [] : [at + 1]));
}

/** `pages 1, 3–5 and 7 have no text`. */
export function withoutText(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  const words = runs.map(([from, to]) => (from === to ? String(from) : `${from}–${to}`));
  const list = new Intl.ListFormat("en-GB", { type: "conjunction" }).format(words);
  return numbers.length === 1 ? `page ${list} has no text` : `pages ${list} have no text`;
}

/** Ends the reading of files. */
export function stopReading(): void {
  reader?.abort();
}

/** Takes text that was pasted; says whether it was any. */
export function addText(text: string): boolean {
  try {
    if (reader === undefined) clear();
    add(pastedDocument(text));
    return true;
  } catch (error) {
    fail(error, "files");
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
