/**
 * OpenAI's chat completions, answered by a model in the tab.
 *
 * @example
 * import { loadModel } from "rushlight";
 * import { chatCompletion } from "rushlight/openai";
 * const model = await loadModel("/models/qwen3-0.6b-q8_0.gguf");
 * const { choices } = await chatCompletion(model, { messages: [{ role: "user", content: "Hello" }] });
 *
 * @module
 */

import type { ChatModel } from "./chat-model.js";
import { leavable, RushlightError } from "./index.js";
import { type Asked, readRequest } from "./openai-request.js";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatCompletionRequestStreaming,
  ChatCompletionRequestWhole,
  CompletionUsage,
  FinishReason,
  Logprobs,
  TopLogprob,
} from "./openai-types.js";
import type { Alternative, GenerateStats, Piece } from "./types.js";

export type { AdapterMessage, ChatAnswer, ChatModel } from "./chat-model.js";
export type * from "./openai-types.js";

/** What cannot be said in the JSON. */
export interface CompletionOptions {
  /** Ends the answer at once, with `ERR_ABORTED`. */
  signal?: AbortSignal;
}

/**
 * Answers a request in OpenAI's shape: with a promise of the whole, or, where `stream` is true, with its chunks, for one loop.
 * `await` before the call does no harm in either case. A request that cannot be served as it stands fails before any work.
 */
export function chatCompletion(model: ChatModel, request: ChatCompletionRequestWhole, options?: CompletionOptions): Promise<ChatCompletion>;
export function chatCompletion(
  model: ChatModel,
  request: ChatCompletionRequestStreaming,
  options?: CompletionOptions,
): AsyncGenerator<ChatCompletionChunk, void, undefined>;
export function chatCompletion(
  model: ChatModel,
  request: ChatCompletionRequest,
  options?: CompletionOptions,
): Promise<ChatCompletion> | AsyncGenerator<ChatCompletionChunk, void, undefined>;
export function chatCompletion(
  model: ChatModel,
  request: ChatCompletionRequest,
  options: CompletionOptions = {},
): Promise<ChatCompletion> | AsyncGenerator<ChatCompletionChunk, void, undefined> {
  if (request.stream !== true) return whole(model, request, options);
  return leavable((signal, left) => inChunks(model, request, signal, left), options.signal);
}

async function whole(model: ChatModel, request: ChatCompletionRequest, { signal }: CompletionOptions): Promise<ChatCompletion> {
  const asked = readRequest(request);
  const answer = model.chat(asked.messages, withSignal(asked, signal));
  const logprobs: Logprobs = { content: [], refusal: null };
  let content = "";
  for await (const piece of answer) {
    content += piece.text;
    logprobs.content.push(...tokenLogprobs(piece, asked));
  }
  const stats = statsOf(answer.stats);
  return {
    ...envelope(model),
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content, refusal: null },
        logprobs: asked.topLogprobs === null ? null : logprobs,
        finish_reason: finishReason(stats),
      },
    ],
    usage: usageOf(stats),
  };
}

async function* inChunks(
  model: ChatModel,
  request: ChatCompletionRequest,
  signal: AbortSignal,
  left: () => boolean,
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const asked = readRequest(request);
  const common = { ...envelope(model), object: "chat.completion.chunk" } as const;
  type Choice = ChatCompletionChunk["choices"][number];
  const chunk = (choice: Pick<Choice, "delta"> & Partial<Choice>): ChatCompletionChunk => ({
    ...common,
    choices: [{ index: 0, logprobs: null, finish_reason: null, ...choice }],
    ...(asked.includeUsage ? { usage: null } : {}),
  });
  const answer = model.chat(asked.messages, withSignal(asked, signal));
  yield chunk({ delta: { role: "assistant", content: "" } });
  try {
    for await (const piece of answer) {
      const content = tokenLogprobs(piece, asked);
      // A token that is part of a character has no text yet.
      if (piece.text === "" && content.length === 0) continue;
      yield chunk({ delta: { content: piece.text }, logprobs: asked.topLogprobs === null ? null : { content, refusal: null } });
    }
  } catch (error) {
    // Nobody waits for the rest.
    if (left()) return;
    throw error;
  }
  const stats = statsOf(answer.stats);
  yield chunk({ delta: {}, finish_reason: finishReason(stats) });
  if (asked.includeUsage) yield { ...common, choices: [], usage: usageOf(stats) };
}

function withSignal({ options }: Asked, signal: AbortSignal | undefined): Asked["options"] {
  return signal === undefined ? options : { ...options, signal };
}

function envelope(model: ChatModel): Pick<ChatCompletion, "id" | "created" | "model"> {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id: `chatcmpl-${id}`, created: Math.floor(Date.now() / 1000), model: model.info.name || model.info.architecture };
}

function statsOf(stats: GenerateStats | undefined): GenerateStats {
  if (stats === undefined) throw new RushlightError("ERR_INTERNAL", "the answer ended without its statistics");
  return stats;
}

function finishReason({ reason }: GenerateStats): FinishReason {
  return reason === "stop" || reason === "stop_text" ? "stop" : "length";
}

function usageOf({ promptTokens, tokens, cachedTokens }: GenerateStats): CompletionUsage {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: tokens,
    total_tokens: promptTokens + tokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** The token of a piece, if it has one. Its own text is among the alternatives; the piece's may belong to an earlier token. */
function tokenLogprobs({ id, text, logprob, top }: Piece, { topLogprobs }: Asked): Logprobs["content"] {
  if (topLogprobs === null || id === null || logprob === null) return [];
  const own = top.find((alternative) => alternative.id === id) ?? { id, text, logprob };
  return [{ ...topLogprob(own), top_logprobs: top.slice(0, topLogprobs).map(topLogprob) }];
}

function topLogprob({ text, logprob }: Alternative): TopLogprob {
  // The replacement character stands for bytes that are not a whole character by themselves.
  const bytes = text.includes("\uFFFD") ? null : Array.from(new TextEncoder().encode(text));
  return { token: text, bytes, logprob };
}
