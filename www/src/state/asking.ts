// A question to the documents, and the answer with its sources.

import { effect, signal } from "@preact/signals";

import { type Answer, type AnswerSpan, type AskStage, type IndexProgress, type Model, RushlightError } from "../engine";
import { PageError } from "../words/failures";
import { follow, type Progress } from "../words/progress";
import { announce, finishAnnouncing } from "./announced";
import { type Doc, documents, shown } from "./documents";
import { ready, readyEmbedder } from "./model";
import { busy, busyWith, progress, run } from "./work";

/** The question. */
export const question = signal("");

/** Whether the answer is a part of the documents, or written freely. */
export const mode = signal<"extract" | "free">("extract");

/** An answer, with the documents that it was found in: its offsets are theirs. */
export interface Answered {
  readonly question: string;
  readonly answer: Answer;
  readonly documents: readonly Doc[];
  readonly search: Search;
  /** Whether it is in the model's own words. */
  readonly freely: boolean;
}

/** How passages were found; `fallback` is by words, since the model for the meaning could not be had. */
export type Search = "meaning" | "words" | "fallback";

/** The last answer. */
export const answered = signal<Answered | undefined>(undefined);

/** What has been written of a free answer; `undefined` while there is none. */
export const streamed = signal<string | undefined>(undefined);

/** Where the reader goes; a new object each time, so that it goes there again. Focus goes along where the visitor asked for it. */
export const target = signal<{ readonly document: number; readonly start: number; readonly focus: boolean } | undefined>(undefined);

/** How far the rest of a long document is, which goes on behind its answers; `undefined` while nothing does. */
export const indexing = signal<Progress | undefined>(undefined);

/** The documents of that. */
let indexed: readonly Doc[] = [];
let background = new AbortController();
let asking = false;

/** Ends what goes on behind the answers, until the next question. */
export function stopIndexing(): void {
  background.abort();
  background = new AbortController();
  indexing.value = undefined;
}

// A document that is taken away is left alone, and the other work of the page has the machine for itself.
effect(() => {
  const gone = indexed.some((doc) => !documents.value.includes(doc));
  if (!gone && (!busy.value || asking)) return;
  indexed = [];
  stopIndexing();
});

/** Shows how far what goes on behind the answers is. */
function indexingShown(): (now: IndexProgress) => void {
  const measure = follow("sentences");
  return ({ done, total }) => {
    indexing.value = done === total ? undefined : measure(done, total);
  };
}

/** What each part of the work is called, and what it counts. */
const STAGES = {
  cut: ["Cutting the documents into sentences…", "documents"],
  embed: ["Comparing what the sentences mean…", "sentences"],
  search: ["Looking for the passages that matter…", "passages"],
  read: ["Reading the passages that matter…", "passages"],
  answer: ["Answering…", "tokens"],
} as const;

async function ask(text: string, docs: readonly Doc[], signal: AbortSignal): Promise<string> {
  if (text === "") throw new PageError("ERR_EMPTY_QUESTION", "the question is empty");
  if (docs.length === 0) throw new PageError("ERR_NO_DOCUMENT", "there are no documents");
  answered.value = undefined;
  streamed.value = undefined;
  target.value = undefined;
  const model = await ready(signal);
  const { embedder, search } = await searcher(signal);
  busyWith("generating", STAGES.cut[0]);
  const freely = mode.value === "free";
  indexed = docs;
  const written = follow("tokens");
  let tokens = 0;
  const answer = await model.ask(text, {
    documents: docs.map(({ title, text: content }) => ({ title, text: content })),
    mode: freely ? "free" : "extract",
    signal,
    ...(embedder === undefined ? {} : { embedder, index: { signal: background.signal, onProgress: indexingShown() } }),
    onStage: stageShown(),
    onPiece: ({ text: piece }) => {
      streamed.value = (streamed.value ?? "") + piece;
      announce(piece);
      progress.value = written(++tokens, undefined);
    },
  });
  if (freely) finishAnnouncing();
  answered.value = { question: text, answer, documents: docs, search, freely };
  // Where there is no answer, what comes nearest.
  const best = answer.spans[0] ?? answer.passages[0];
  if (best !== undefined) goTo(answered.value, best, false);
  return outcome(answer);
}

/** What finds passages. Where its model cannot be fetched, words do; the answer says so. */
async function searcher(signal: AbortSignal): Promise<{ embedder: Model | undefined; search: Search }> {
  try {
    const embedder = await readyEmbedder(signal);
    return { embedder, search: embedder === undefined ? "words" : "meaning" };
  } catch (error) {
    if (error instanceof RushlightError && error.code === "ERR_NETWORK") return { embedder: undefined, search: "fallback" };
    throw error;
  }
}

function outcome({ answer }: Answer): string {
  return answer === "" ? "The documents don’t answer this." : `Answer: ${answer}`;
}

/** Shows each stage of the work with its own progress. */
function stageShown(): (stage: AskStage) => void {
  let last = "";
  let measure = follow("documents");
  return ({ stage, done, total }) => {
    if (stage !== last) {
      last = stage;
      const [words, unit] = STAGES[stage];
      measure = follow(unit);
      busyWith("generating", words);
    }
    if (total > 1) progress.value = measure(done, total);
  };
}

/** Asks the documents. */
export async function askDocuments(): Promise<void> {
  if (busy.value) return;
  asking = true;
  try {
    await run((signal) => ask(question.value.trim(), documents.value, signal));
  } finally {
    asking = false;
  }
}

/** Shows a span in its document. */
export function goTo(from: Answered, { document, start }: Pick<AnswerSpan, "document" | "start">, focus: boolean): void {
  const doc = from.documents[document];
  if (doc === undefined || !documents.value.includes(doc)) return;
  shown.value = doc.id;
  target.value = { document: doc.id, start, focus };
}
