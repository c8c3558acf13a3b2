// The JSON of OpenAI's chat completions, as far as a model in a tab can serve it. Names and nesting are theirs; a type test
// (test/types/openai.ts) compares them with the declarations of the npm package `openai`.

/** A part of a message. Only text can be served. */
export type ContentPart = { type: "text"; text: string } | { type: "refusal"; refusal: string } | { type: (string & {}) };

/** One message of the conversation. */
export interface MessageParam {
  role: "developer" | "system" | "user" | "assistant" | (string & {});
  content?: string | readonly ContentPart[] | null;
}

/** The body of a request. What is not named here, and changes what an answer means, is refused with `ERR_UNSUPPORTED`. */
export interface ChatCompletionRequest {
  messages: readonly MessageParam[];
  /** Only for callers that always send it: the model that was loaded answers. */
  model?: string;
  /** 1 where left out, as with OpenAI; 0 takes the most likely token. */
  temperature?: number | null;
  top_p?: number | null;
  /** Tokens of the answer at most. */
  max_completion_tokens?: number | null;
  /** The older name of `max_completion_tokens`. */
  max_tokens?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  /** By token id. */
  logit_bias?: Record<string, number> | null;
  logprobs?: boolean | null;
  /** 0 to 20; needs `logprobs`. */
  top_logprobs?: number | null;
  /** The same seed gives the same answer: any whole number of 64 bits. Drawn anew for each answer where left out. */
  seed?: number | bigint | null;
  stop?: string | readonly string[] | null;
  /** Answers in chunks. */
  stream?: boolean | null;
  stream_options?: { include_usage?: boolean } | null;
  /** Only 1. */
  n?: number | null;
  /** Only text. */
  response_format?: { type: string };
  /** Only the most likely so many tokens; not OpenAI's, but what other servers call it. */
  top_k?: number | null;
  /** Only tokens at least so likely, relative to the most likely one; not OpenAI's. */
  min_p?: number | null;
  /** Not OpenAI's. */
  repetition_penalty?: number | null;
}

/** A request that is answered in one piece. */
export interface ChatCompletionRequestWhole extends ChatCompletionRequest {
  stream?: false | null;
}

/** A request that is answered in chunks. */
export interface ChatCompletionRequestStreaming extends ChatCompletionRequest {
  stream: true;
}

/** Why an answer ended: by itself or at a stop string, or because there was no room for more. */
export type FinishReason = "stop" | "length";

/** A token that could have come. */
export interface TopLogprob {
  token: string;
  /** UTF-8; `null` where the token is part of a character. */
  bytes: number[] | null;
  logprob: number;
}

/** A token that came. */
export interface TokenLogprob extends TopLogprob {
  top_logprobs: TopLogprob[];
}

/** The tokens of an answer or of a chunk. */
export interface Logprobs {
  content: TokenLogprob[];
  refusal: null;
}

/** Tokens that went in and came out. */
export interface CompletionUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** Tokens that needed no work, because an earlier turn had them. */
  prompt_tokens_details: { cached_tokens: number };
}

/** An answer in one piece. */
export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  /** Seconds since 1970. */
  created: number;
  model: string;
  choices: {
    index: number;
    message: { role: "assistant"; content: string; refusal: null };
    logprobs: Logprobs | null;
    finish_reason: FinishReason;
  }[];
  usage: CompletionUsage;
}

/** A part of an answer. */
export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: {
    index: number;
    delta: { role?: "assistant"; content?: string };
    logprobs: Logprobs | null;
    finish_reason: FinishReason | null;
  }[];
  /** With `include_usage`, `null` in all chunks but the last, which has no choices. */
  usage?: CompletionUsage | null;
}
