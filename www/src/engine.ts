// The package as the page uses it. The only module that imports it.

import {
  cache,
  type ChatMessage,
  conversations,
  type GenerateOptions,
  type Generation,
  indexes,
  type Model,
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
