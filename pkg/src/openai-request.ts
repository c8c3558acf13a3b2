// A request in OpenAI's JSON as our own options, or why it cannot be served: nothing that was asked for is dropped in silence.

import type { AdapterMessage } from "./chat-model.js";
import { RushlightError } from "./index.js";
import type { ChatCompletionRequest, ContentPart, MessageParam } from "./openai-types.js";
import type { GenerateOptions } from "./types.js";

/** What is asked for. */
export interface Asked {
  readonly messages: readonly AdapterMessage[];
  readonly options: GenerateOptions;
  /** How many alternatives each token is to come with; `null` where probabilities are not asked for. */
  readonly topLogprobs: number | null;
  readonly includeUsage: boolean;
}

/** Alternatives that a request may ask for at most. */
const MOST_LOGPROBS = 20;

/** Seeds are drawn below this. */
const DRAWN = 2 ** 32;

/** Parameters that would change what the answer means, and why they cannot. */
const REFUSED: Readonly<Record<string, string>> = {
  audio: "the model writes text only",
  function_call: "there are no functions",
  functions: "there are no functions",
  modalities: "the model writes text only",
  moderation: "nothing is moderated",
  prediction: "predicted outputs are not used",
  tool_choice: "there are no tools",
  tools: "there are no tools",
  web_search_options: "nothing is searched: no request leaves the page",
};

/** Parameters about accounts, servers and prices. */
const WITHOUT_MEANING = new Set([
  "metadata",
  "model",
  "parallel_tool_calls",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "reasoning_effort",
  "safety_identifier",
  "service_tier",
  "store",
  "user",
  "verbosity",
]);

const SERVED = new Set([
  "frequency_penalty",
  "logit_bias",
  "logprobs",
  "max_completion_tokens",
  "max_tokens",
  "messages",
  "min_p",
  "n",
  "presence_penalty",
  "repetition_penalty",
  "response_format",
  "seed",
  "stop",
  "stream",
  "stream_options",
  "temperature",
  "top_k",
  "top_logprobs",
  "top_p",
]);

/** Checks a request and says it in our own words. */
export function readRequest(request: ChatCompletionRequest): Asked {
  refuseOthers(request);
  const { n, response_format: format, logprobs, top_logprobs: top } = request;
  if (isSet(n) && n !== 1) throw unsupported(`n: expected 1, got ${String(n)}: ask again for another answer`);
  if (isSet(format) && format.type !== "text") {
    throw unsupported(`response_format: expected text, got ${format.type}: the answer cannot be held to a format`);
  }
  if (isSet(top)) {
    if (logprobs !== true) throw bad("top_logprobs: needs logprobs: true");
    whole("top_logprobs", top, MOST_LOGPROBS);
  }
  return {
    messages: readMessages(request.messages),
    options: readOptions(request),
    topLogprobs: logprobs === true ? (top ?? 0) : null,
    includeUsage: request.stream_options?.include_usage === true,
  };
}

/** Fails for the first parameter that is not served and not without meaning here. */
function refuseOthers(request: ChatCompletionRequest): void {
  for (const [name, value] of Object.entries(request)) {
    if (!isSet(value) || SERVED.has(name) || WITHOUT_MEANING.has(name)) continue;
    const reason = REFUSED[name];
    if (reason === undefined) throw bad(`${name}: this parameter is not known`);
    if (name === "modalities" && JSON.stringify(value) === '["text"]') continue;
    // Clients send empty lists where they have nothing to offer.
    if (Array.isArray(value) && value.length === 0) continue;
    if (value === "none" || (name === "tool_choice" && value === "auto")) continue;
    throw unsupported(`${name}: ${reason}`);
  }
}

function readOptions(request: ChatCompletionRequest): GenerateOptions {
  const options: GenerateOptions = {
    temperature: request.temperature ?? 1,
    seed: request.seed ?? randomSeed(),
  };
  const { seed } = options;
  if (typeof seed !== "bigint" && !Number.isInteger(seed)) throw bad(`seed: expected a whole number, got ${String(seed)}`);
  const numbers = {
    topP: request.top_p,
    topK: request.top_k,
    minP: request.min_p,
    repetitionPenalty: request.repetition_penalty,
    frequencyPenalty: request.frequency_penalty,
    presencePenalty: request.presence_penalty,
    maxTokens: request.max_completion_tokens ?? request.max_tokens,
    // One at least: the most likely token's text says what it is where a piece has none yet.
    logprobs: request.logprobs === true ? Math.max(request.top_logprobs ?? 0, 1) : undefined,
  } as const;
  for (const [name, value] of Object.entries(numbers)) {
    if (isSet(value)) options[name as keyof typeof numbers] = value;
  }
  const { stop, logit_bias: bias } = request;
  if (isSet(stop)) options.stop = typeof stop === "string" ? [stop] : stop;
  if (isSet(bias)) options.logitBias = bias;
  return options;
}

/** Without a seed OpenAI's answers differ from one another; ours would all be the same. */
function randomSeed(): number {
  return Math.floor(Math.random() * DRAWN);
}

function readMessages(messages: readonly MessageParam[]): AdapterMessage[] {
  if (!Array.isArray(messages) || messages.length === 0) throw bad("messages: expected at least one message");
  return messages.map((message: MessageParam, at) => {
    const where = `messages[${at}]`;
    const calls = (message as { tool_calls?: readonly unknown[] | null }).tool_calls;
    if (isSet(calls) && calls.length > 0) throw unsupported(`${where}: there are no tools`);
    return { role: readRole(message.role, where), content: readContent(message.content ?? "", where) };
  });
}

function readRole(role: string, where: string): AdapterMessage["role"] {
  switch (role) {
    case "system":
    case "user":
    case "assistant":
      return role;
    // What OpenAI calls the system's messages now; templates know the older name.
    case "developer":
      return "system";
    case "tool":
    case "function":
      throw unsupported(`${where}: role ${role}: there are no tools`);
    default:
      throw bad(`${where}: role: expected one of system, developer, user, assistant, got ${role}`);
  }
}

function readContent(content: string | readonly ContentPart[], where: string): string {
  if (typeof content === "string") return content;
  return content
    .map((part) => {
      if ("text" in part) return part.text;
      if ("refusal" in part) return part.refusal;
      throw unsupported(`${where}: content of type ${part.type}: the model reads text only`);
    })
    .join("");
}

function isSet<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

function whole(name: string, value: number, most: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= most) return;
  throw bad(`${name}: expected a whole number from 0 to ${most}, got ${String(value)}`);
}

function bad(message: string): RushlightError {
  return new RushlightError("ERR_BAD_ARGUMENT", message);
}

function unsupported(message: string): RushlightError {
  return new RushlightError("ERR_UNSUPPORTED", message);
}
