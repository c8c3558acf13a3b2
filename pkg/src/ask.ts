// Questions about documents: what the page does of it. The worker cuts, searches and reads (`ask-host.ts`); the vectors come from
// another model, in a worker of its own.

import type { Connection } from "./connection.js";
import { abortError, RushlightError } from "./errors.js";
import type { Model } from "./model.js";
import type { Piece } from "./types.js";

/** A text to ask about. */
export type AskDocument = string | { readonly title?: string; readonly text: string };

/** How to answer a question. */
export interface AskOptions {
  /** The text, where there is one. */
  context?: string;
  /** The texts, where there are several. The words of a title count where passages are looked for; answers are never of it. */
  documents?: readonly AskDocument[];
  /** A model that makes embeddings: finds what the question says in other words. */
  embedder?: Model;
  /** `extract` answers by a stretch of the documents, `free` in the model's own words. */
  mode?: "extract" | "free";
  /** Tokens of a free answer, at most. */
  maxTokens?: number;
  /** Ends the work within 50 ms. */
  signal?: AbortSignal;
  /** Hears what is being done. */
  onStage?: (stage: AskStage) => void;
  /** Hears a free answer as it is written. */
  onPiece?: (piece: Piece) => void;
}

/** What is being done, and how far it is. */
export interface AskStage {
  readonly stage: "cut" | "embed" | "search" | "read" | "answer";
  readonly done: number;
  readonly total: number;
}

/** A stretch of a document. */
export interface AnswerSpan {
  /** Index of the document. */
  readonly document: number;
  /** First UTF-16 unit in it, as `slice` takes it. */
  readonly start: number;
  /** The unit behind it. */
  readonly end: number;
  /** As it stands in the document. */
  readonly text: string;
  /** Probability that it answers the question. */
  readonly confidence: number;
}

/** A stretch of a document that was read. */
export interface Passage {
  readonly document: number;
  readonly start: number;
  readonly end: number;
  /** How well it matches the question; comparable within an answer only. */
  readonly score: number;
}

/** An answer. */
export interface Answer {
  /**
   * As a person reads it: on one line, without soft hyphens and other characters that nobody sees. The spans have it as it stands in the
   * document. Empty where the documents have none.
   */
  readonly answer: string;
  /** Probability that this is right. */
  readonly confidence: number;
  /** Probability that the documents do not answer. */
  readonly nullScore: number;
  /** Where the answer stands, or what supports a free one. */
  readonly spans: readonly AnswerSpan[];
  /** Those that were read, the best first. */
  readonly passages: readonly Passage[];
  /** What else it could be, the likeliest first. */
  readonly alternatives: readonly AnswerSpan[];
}

/** A document as the worker takes it. */
export interface NamedText {
  /** Empty where it has none. */
  readonly title: string;
  readonly text: string;
}

/** What the worker is asked. */
export interface AskRequest {
  readonly documents: readonly NamedText[];
  readonly question: string;
  readonly similarities: readonly number[] | null;
  readonly mode: "extract" | "free";
  readonly maxTokens: number | null;
}

/** Sentences that are embedded at once: what an abort waits for, and a step of the progress. */
const BATCH = 32;
/** Documents whose vectors an embedder keeps. */
const KEPT = 32;

/** Vectors of sentences, by embedder and document. */
const known = new WeakMap<Model, Map<string, readonly Float32Array[]>>();

/** Answers a question; `Model.ask` is the way to it. */
export async function ask(connection: Connection, question: string, options: AskOptions): Promise<Answer> {
  const { embedder, mode = "extract", maxTokens = null, signal, onStage, onPiece } = options;
  if (signal?.aborted === true) throw abortError(signal);
  const documents = documentsOf(options);
  const texts = documents.map(({ text }) => text);
  const request = async (body: Parameters<Connection["call"]>[0]): Promise<unknown> => {
    const call = connection.call(body, { ...(onPiece && { onPiece }), ...(onStage && { onStage }) });
    const abort = (): void => {
      call.cancel();
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await call.answer;
    } catch (error) {
      throw error instanceof RushlightError && error.code === "ERR_ABORTED" ? abortError(signal) : error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  };
  onStage?.({ stage: "cut", done: 0, total: texts.length });
  const sentences = (await request({ type: "ask-open", documents, question })) as readonly (readonly string[])[];
  onStage?.({ stage: "cut", done: texts.length, total: texts.length });
  const similarities = embedder === undefined ? null : await compare(embedder, question, texts, sentences, signal, onStage);
  return (await request({ type: "ask", ask: { documents, question, similarities, mode, maxTokens } })) as Answer;
}

function documentsOf({ context, documents }: AskOptions): NamedText[] {
  if ((context === undefined) === (documents === undefined)) {
    throw new RushlightError("ERR_BAD_ARGUMENT", "ask: expected context or documents, one of the two");
  }
  return (documents ?? [context ?? ""]).map((document) =>
    typeof document === "string" ? { title: "", text: document } : { title: document.title ?? "", text: document.text },
  );
}

/** The product of the question's vector with that of each sentence. */
async function compare(
  embedder: Model,
  question: string,
  texts: readonly string[],
  sentences: readonly (readonly string[])[],
  signal: AbortSignal | undefined,
  onStage: AskOptions["onStage"],
): Promise<number[]> {
  let kept = known.get(embedder);
  if (kept === undefined) known.set(embedder, (kept = new Map<string, readonly Float32Array[]>()));
  const total = sentences.reduce((sum, list, index) => sum + (kept.has(texts[index] ?? "") ? 0 : list.length), 0);
  const options = signal === undefined ? {} : { signal };
  let done = 0;
  const all: Float32Array[] = [];
  for (const [index, list] of sentences.entries()) {
    const key = texts[index] ?? "";
    let vectors = kept.get(key);
    if (vectors?.length !== list.length) {
      const made: Float32Array[] = [];
      for (let at = 0; at < list.length; at += BATCH) {
        onStage?.({ stage: "embed", done, total });
        made.push(...(await embedder.embed(list.slice(at, at + BATCH), options)));
        done += Math.min(BATCH, list.length - at);
      }
      vectors = made;
    }
    // The one that was used last is at the end.
    kept.delete(key);
    kept.set(key, vectors);
    all.push(...vectors);
  }
  for (const key of kept.keys()) {
    if (kept.size <= Math.max(KEPT, texts.length)) break;
    kept.delete(key);
  }
  onStage?.({ stage: "embed", done: total, total });
  const [asked] = await embedder.embed([question], options);
  return all.map((vector) => vector.reduce((sum, value, at) => sum + value * (asked?.[at] ?? 0), 0));
}
