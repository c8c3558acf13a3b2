// The package as the page uses it. The only module that imports it.

import { cache, type GenerateOptions, type Generation, type Model, type ChatMessage } from "rushlight";
import { version } from "rushlight/package.json";

export { loadModel, plan, RushlightError } from "rushlight";
export type {
  Alternative,
  BackendChoice,
  BuildChoice,
  CachedFile,
  GenerateOptions,
  GenerateStats,
  KvFormat,
  LoadOptions,
  LoadPlan,
  LoadProgress,
  MemoryUse,
  Model,
  ModelInfo,
  Piece,
  Precision,
} from "rushlight";

/** Version of the package. */
export const VERSION: string = version;

// ---- Declared here until the package has `ask`, to be deleted then.

/** A part of the work that an answer takes. */
export interface AskStage {
  readonly stage: "cut" | "embed" | "search" | "read" | "answer";
  readonly done: number;
  readonly total: number;
}

/** Words of a document that answer, in UTF-16 units. */
export interface AnswerSpan {
  readonly document: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly confidence: number;
}

/** A part of a document that was read for an answer. */
export interface Passage {
  readonly document: number;
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

/** What the documents say. */
export interface Answer {
  /** Empty where the documents have none. */
  readonly answer: string;
  readonly confidence: number;
  readonly nullScore: number;
  readonly spans: readonly AnswerSpan[];
  readonly passages: readonly Passage[];
  readonly alternatives: readonly AnswerSpan[];
}

/** How to ask. */
export interface AskOptions {
  documents: readonly { title?: string; text: string }[];
  embedder?: Model;
  mode?: "extract" | "free";
  maxTokens?: number;
  signal?: AbortSignal;
  onStage?: (stage: AskStage) => void;
  onPiece?: (piece: { readonly text: string }) => void;
}

/** What a model of a later version can do beside. */
interface LaterModel {
  ask(question: string, options: AskOptions): Promise<Answer>;
}

// ---- Up to here.

/** The store of model files. */
export const fileCache = cache;

/** `model.ask`, where this version of the package has it. */
export function asking(model: Model): LaterModel["ask"] | undefined {
  const later: Partial<LaterModel> = model as object;
  return later.ask?.bind(model);
}

/** `model.chat`, where the file says how a conversation is written. */
export function chatting(model: Model): ((messages: readonly ChatMessage[], options?: GenerateOptions) => Generation) | undefined {
  return model.info.chat ? model.chat.bind(model) : undefined;
}
