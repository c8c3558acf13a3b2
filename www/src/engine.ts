// The package as the page uses it. The only module that imports it.

import {
  cache,
  type ChatMessage,
  conversations,
  type GenerateOptions,
  type GenerateStats,
  type Generation,
  indexes,
  type Model,
  type Piece,
  RushlightError,
} from "rushlight";
import { version } from "rushlight/package.json";

export { loadModel, plan, RushlightError } from "rushlight";
export type {
  Alternative,
  Answer,
  AnswerSpan,
  AskStage,
  BackendChoice,
  BuildChoice,
  CachedFile,
  ChatMessage,
  GenerateOptions,
  GenerateStats,
  IndexProgress,
  KeptIndex,
  KvFormat,
  LoadOptions,
  LoadPlan,
  LoadProgress,
  MemoryUse,
  Model,
  ModelFiles,
  ModelInfo,
  Piece,
  Precision,
} from "rushlight";

/** Version of the package. */
export const VERSION: string = version;

/** Removes what `model.save` kept under a name. */
export async function forgetConversation(name: string): Promise<void> {
  await conversations.delete(name);
}

/** The store of model files. */
export const fileCache = cache;

/** What is kept of long documents. */
export const documentIndexes = indexes;

/** `model.chat`, where the file says how a conversation is written. */
export function chatting(model: Model): ((messages: readonly ChatMessage[], options?: GenerateOptions) => Generation) | undefined {
  return model.info.chat ? model.chat.bind(model) : undefined;
}

/** Turns that were left out of a prompt since they no longer fitted into the context; none where the package does not say. */
export function droppedTurns(stats: GenerateStats): number {
  return (stats as { readonly droppedTurns?: number }).droppedTurns ?? 0;
}

/**
 * The answer to a conversation, of which the oldest turns may be left out (`overflow`). A package that does not know that option refuses
 * it before the first token.
 */
export async function* conversing(
  model: Model,
  messages: readonly ChatMessage[],
  options: GenerateOptions,
): AsyncGenerator<Piece, GenerateStats | undefined> {
  try {
    return yield* model.chat(messages, { ...options, overflow: "trim" } as GenerateOptions);
  } catch (error) {
    if (!(error instanceof RushlightError && error.code === "ERR_BAD_ARGUMENT" && error.message.includes("overflow"))) throw error;
  }
  return yield* model.chat(messages, options);
}
