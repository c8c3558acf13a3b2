// The package as the page uses it. The only module that imports it.

import { cache, indexes, type GenerateOptions, type Generation, type Model, type ChatMessage } from "rushlight";
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

/** The store of model files. */
export const fileCache = cache;

/** What is kept of long documents. */
export const documentIndexes = indexes;

/** `model.chat`, where the file says how a conversation is written. */
export function chatting(model: Model): ((messages: readonly ChatMessage[], options?: GenerateOptions) => Generation) | undefined {
  return model.info.chat ? model.chat.bind(model) : undefined;
}
