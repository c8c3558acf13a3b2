// The package as the page uses it. The only module that imports it.

import * as rushlight from "rushlight";
import type { ErrorCode, GenerateOptions, Generation, LoadProgress, Model } from "rushlight";
import { version } from "rushlight/package.json";

export { loadModel, RushlightError } from "rushlight";
export type {
  Alternative,
  BackendChoice,
  BuildChoice,
  GenerateOptions,
  GenerateStats,
  KvFormat,
  LoadOptions,
  LoadProgress,
  MemoryUse,
  Model,
  ModelInfo,
  Piece,
  Precision,
} from "rushlight";

/** Version of the package. */
export const VERSION: string = version;

// ---- Declared here until the package exports them, to be deleted then: `ask`, `chat`, `plan`, `cache`, `LoadProgress.cached`.

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

/** What a load would take, told from a file's first bytes. */
export interface LoadPlan {
  readonly ok: boolean;
  readonly reason: string;
  readonly code: ErrorCode | null;
  readonly architecture: string;
  readonly name: string;
  readonly quantisation: string;
  readonly parameters: number;
  readonly fileBytes: number;
  readonly fetchBytes: number;
  readonly memoryBytes: number;
  readonly backend: { readonly kind: "gpu" | "cpu"; readonly device: string; readonly reason: string };
  readonly context: number;
  readonly trainedContext: number;
  readonly chat: boolean;
  readonly tokensPerSecond: number | null;
}

/** A file that is kept on this machine. */
export interface CachedFile {
  readonly url: string;
  readonly bytes: number;
  readonly complete: boolean;
  readonly stored: number;
  readonly lastUsed: number;
  readonly etag: string | null;
}

/** The store of model files. */
export interface FileCache {
  list(): Promise<CachedFile[]>;
  delete(url: string): Promise<boolean>;
  persist(): Promise<boolean>;
  estimate(): Promise<{ usage: number; quota: number }>;
}

interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

/** What a model of a later version can do beside. */
interface LaterModel {
  ask(question: string, options: AskOptions): Promise<Answer>;
  chat(messages: readonly ChatMessage[], options?: GenerateOptions): Generation;
}

/** What a later version exports beside. */
interface LaterExports {
  plan(from: string | URL | Blob, options?: { signal?: AbortSignal }): Promise<LoadPlan>;
  readonly cache: FileCache;
}

// ---- Up to here.

const present: Partial<LaterExports> = rushlight as object;

/** The store of model files, where this version of the package has one. */
export const fileCache: FileCache | undefined = present.cache;

/** Tells what a load would take, where this version of the package can. */
export const plan: LaterExports["plan"] | undefined = present.plan;

/** `model.ask`, where this version of the package has it. */
export function asking(model: Model): LaterModel["ask"] | undefined {
  const later: Partial<LaterModel> = model as object;
  return later.ask?.bind(model);
}

/** `model.chat`, where this version has it and the file says how a conversation is written. */
export function chatting(model: Model): LaterModel["chat"] | undefined {
  const later: Partial<LaterModel> = model as object;
  const { chat }: { readonly chat?: boolean } = model.info as object;
  return chat === true ? later.chat?.bind(model) : undefined;
}

/** Bytes of a load that were already on this machine. */
export function cachedBytes(progress: LoadProgress): number {
  const { cached = 0 }: { readonly cached?: number } = progress as object;
  return cached;
}
