/**
 * Rushlight: language models inside a web page.
 *
 * @example
 * import { loadModel } from "rushlight";
 * const model = await loadModel("/models/gemma-3-270m-q4_k_m.gguf", { backend: "auto" });
 * for await (const piece of model.generate("The capital of France is", { maxTokens: 32 })) show(piece.text);
 *
 * @example
 * const embedder = await loadModel("/models/all-MiniLM-L6-v2/");
 * const [a, b] = await embedder.embed(["a cat", "a kitten"]);
 *
 * @module
 */

export type { Answer, AnswerSpan, AskDocument, AskOptions, AskStage, IndexOptions, IndexProgress, Passage } from "./ask.js";
export { cache, type Cache, type CachedFile } from "./cache.js";
export { type ChatMessage } from "./chat.js";
export { conversations, type Conversations, type SavedConversation } from "./conversations.js";
export { type ErrorCode, RushlightError } from "./errors.js";
export { indexes, type Indexes, type KeptIndex } from "./kept-indexes.js";
/** For the package's other entries. @internal */
export { leavable } from "./leaving.js";
export { loadModel } from "./load.js";
export { type Generation, type Model } from "./model.js";
export { plan, type LoadPlan, type PlanOptions } from "./plan.js";
export type {
  Alternative,
  BackendChoice,
  BackendInfo,
  BuildChoice,
  CacheChoice,
  CallOptions,
  EmbedOptions,
  ChatOptions,
  GenerateOptions,
  GenerateStats,
  KvFormat,
  LoadOptions,
  LoadProgress,
  LoadTimings,
  MemoryUse,
  ModelFiles,
  ModelInfo,
  Piece,
  Precision,
} from "./types.js";
