// Questions about documents: what the page does of it. The worker cuts, searches and reads (`ask-host.ts`); the vectors come from
// another model, in a worker of its own (`index-client.ts`).

import { type Connection, connectionOf } from "./connection.js";
import { RushlightError } from "./errors.js";
import { IndexClient } from "./index-client.js";
import type { Model } from "./model.js";
import { answerTo } from "./signalled.js";
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
  /** What becomes of the sentences of long documents that the question did not need; left out, they are embedded and kept. */
  index?: IndexOptions;
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

/**
 * The vectors of long documents. The first answer needs those of the passages that its words find; the rest is made in the background
 * while no question is asked, so that later answers search the whole document by what it means.
 */
export interface IndexOptions {
  /** Whether to make the rest once the answer is there; `true` where left out. */
  background?: boolean;
  /** Whether to keep it in the browser's private files of this origin, for the next visit (see `indexes`); `true` where left out. */
  keep?: boolean;
  /** Ends the background within 50 ms. What is done stays, and the next question goes on. */
  signal?: AbortSignal;
  /** Hears how far the background is. */
  onProgress?: (progress: IndexProgress) => void;
}

/** How far the vectors of the documents are. */
export interface IndexProgress {
  /** Sentences that are embedded. */
  readonly done: number;
  /** All. */
  readonly total: number;
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
  /** The product of the question's vector with each sentence's; not a number for one that has none. */
  readonly similarities: Float32Array | null;
  readonly mode: "extract" | "free";
  readonly maxTokens: number | null;
}

/** The sentences of a document, as an embedder is told of them. */
export interface SentencesOf {
  /** Tells them from all others. */
  readonly key: string;
  /** Their number. */
  readonly sentences: number;
  /** What the document is called; empty where nobody said. */
  readonly title: string;
}

/** What the worker says of the documents and a question. */
export interface AskOpened {
  readonly documents: readonly SentencesOf[];
  /** Sentences whose vectors the question needs, counted through the documents; none where the model reads them whole. */
  readonly first: Uint32Array;
}

const clients = new WeakMap<Model, IndexClient>();

/** The documents of an embedder. */
function clientOf(embedder: Model): IndexClient {
  const known = clients.get(embedder) ?? new IndexClient(connectionOf(embedder));
  clients.set(embedder, known);
  return known;
}

/** Answers a question; `Model.ask` is the way to it. */
export async function ask(connection: Connection, question: string, options: AskOptions): Promise<Answer> {
  const { embedder, index = {} } = options;
  const documents = documentsOf(options);
  if (embedder === undefined) return (await answered(connection, question, documents, options, undefined)).answer;
  const client = clientOf(embedder);
  const { answer, opened } = await client.whileAsking(() => answered(connection, question, documents, options, client));
  if (index.background !== false && opened.first.length > 0) client.fill(opened.documents, index);
  return answer;
}

async function answered(
  connection: Connection,
  question: string,
  documents: readonly NamedText[],
  options: AskOptions,
  client: IndexClient | undefined,
): Promise<{ readonly answer: Answer; readonly opened: AskOpened }> {
  const { index = {}, mode = "extract", maxTokens = null, signal, onStage, onPiece } = options;
  const listeners = { ...(onPiece && { onPiece }), ...(onStage && { onStage }) };
  const total = documents.length;
  const embeds = client !== undefined;
  onStage?.({ stage: "cut", done: 0, total });
  const opened = (await answerTo(connection, { type: "ask-open", documents, question, embeds }, signal)) as AskOpened;
  onStage?.({ stage: "cut", done: total, total });
  const sentencesOf = async (document: number): Promise<readonly string[]> =>
    (await answerTo(connection, { type: "ask-sentences", documents, question, document }, signal)) as readonly string[];
  const similarities =
    client === undefined || opened.first.length === 0
      ? null
      : await client.compare({ question, ...opened, sentencesOf, keep: index.keep ?? true, signal, onStage });
  const request = { documents, question, similarities, mode, maxTokens };
  return { answer: (await answerTo(connection, { type: "ask", ask: request }, signal, listeners)) as Answer, opened };
}

function documentsOf({ context, documents }: AskOptions): NamedText[] {
  if ((context === undefined) === (documents === undefined)) {
    throw new RushlightError("ERR_BAD_ARGUMENT", "ask: expected context or documents, one of the two");
  }
  return (documents ?? [context ?? ""]).map((document) =>
    typeof document === "string" ? { title: "", text: document } : { title: document.title ?? "", text: document.text },
  );
}
