/**
 * A model in the tab as a language model of the Vercel AI SDK (`ai` 7, specification v4).
 *
 * @example
 * import { streamText } from "ai";
 * import { loadModel } from "rushlight";
 * import { rushlight } from "rushlight/ai-sdk";
 * const model = rushlight(await loadModel("/models/qwen3-0.6b-q8_0.gguf"));
 * for await (const text of streamText({ model, prompt: "Hello" }).textStream) show(text);
 *
 * @module
 */

import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4FinishReason,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4ProviderMetadata,
} from "@ai-sdk/provider";

import { type Call, readCall } from "./ai-sdk-call.js";
import type { ChatModel } from "./chat-model.js";
import { leavable, RushlightError } from "./index.js";
import type { GenerateStats } from "./types.js";

export type { AdapterMessage, ChatAnswer, ChatModel } from "./chat-model.js";

/** The name under which the SDK finds our own options and metadata. */
const PROVIDER = "rushlight";

/** The only text of an answer; the SDK can tell several apart. */
const TEXT_ID = "0";

/**
 * Makes a model into one that `generateText`, `streamText` and the others of the AI SDK take. `providerOptions.rushlight` may have
 * `minP` and `repetitionPenalty`. What the model cannot do (tools, answers held to a schema, reasoning efforts) comes back as a
 * warning of the SDK; messages with anything but text fail with `ERR_UNSUPPORTED`.
 */
export function rushlight(model: ChatModel): LanguageModelV4 {
  const modelId = model.info.name || model.info.architecture;
  return {
    specificationVersion: "v4",
    provider: PROVIDER,
    modelId,
    supportedUrls: {},

    // Async, so that a call that cannot be read is a rejection.
    // eslint-disable-next-line @typescript-eslint/require-await
    async doStream(call) {
      const asked = readCall(call);
      const parts = leavable((signal, left) => streamParts(model, modelId, call, asked, signal, left), call.abortSignal);
      return { stream: toStream(parts) };
    },

    async doGenerate(call): Promise<LanguageModelV4GenerateResult> {
      const { messages, options, warnings } = readCall(call);
      const timestamp = new Date();
      const answer = model.chat(messages, options);
      let text = "";
      for await (const piece of answer) text += piece.text;
      return {
        content: [{ type: "text", text }],
        ...outcome(answer.stats),
        warnings,
        response: { modelId, timestamp },
      };
    },
  };
}

/** The parts of an answer, in the order in which the SDK wants them. */
async function* streamParts(
  model: ChatModel,
  modelId: string,
  call: LanguageModelV4CallOptions,
  { messages, options, warnings }: Call,
  signal: AbortSignal,
  left: () => boolean,
): AsyncGenerator<LanguageModelV4StreamPart, void, undefined> {
  yield { type: "stream-start", warnings };
  yield { type: "response-metadata", modelId, timestamp: new Date() };
  const answer = model.chat(messages, { ...options, signal });
  yield { type: "text-start", id: TEXT_ID };
  try {
    for await (const piece of answer) {
      if (call.includeRawChunks === true) yield { type: "raw", rawValue: piece };
      // A token that is part of a character has no text yet.
      if (piece.text !== "") yield { type: "text-delta", id: TEXT_ID, delta: piece.text };
    }
  } catch (error) {
    if (left()) return;
    // An abort breaks the stream, as the SDK expects; all else is told of within it.
    if (signal.aborted) throw error;
    yield { type: "error", error };
    yield { type: "finish", finishReason: { unified: "error", raw: undefined }, usage: NO_USAGE };
    return;
  }
  yield { type: "text-end", id: TEXT_ID };
  yield { type: "finish", ...outcome(answer.stats) };
}

/** Of an answer that failed. */
const NO_USAGE: LanguageModelV4Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

/** A stream that takes a part when it is asked for one. Safari has no `ReadableStream.from`. */
function toStream(parts: AsyncGenerator<LanguageModelV4StreamPart, void, undefined>): ReadableStream<LanguageModelV4StreamPart> {
  return new ReadableStream({
    async pull(controller) {
      const next = await parts.next();
      if (next.done === true) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await parts.return();
    },
  });
}

interface Outcome {
  readonly finishReason: LanguageModelV4FinishReason;
  readonly usage: LanguageModelV4Usage;
  readonly providerMetadata: SharedV4ProviderMetadata;
}

function outcome(stats: GenerateStats | undefined): Outcome {
  if (stats === undefined) throw new RushlightError("ERR_INTERNAL", "the answer ended without its statistics");
  const { reason, promptTokens, tokens, cachedTokens } = stats;
  const { firstTokenMs, prefillTokensPerSecond, decodeTokensPerSecond } = stats;
  return {
    finishReason: { unified: reason === "stop" || reason === "stop_text" ? "stop" : "length", raw: reason },
    usage: {
      inputTokens: { total: promptTokens, noCache: promptTokens - cachedTokens, cacheRead: cachedTokens, cacheWrite: undefined },
      outputTokens: { total: tokens, text: tokens, reasoning: undefined },
    },
    providerMetadata: { [PROVIDER]: { firstTokenMs, prefillTokensPerSecond, decodeTokensPerSecond } },
  };
}
