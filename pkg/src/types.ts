/** What runs the model: `auto` takes a hardware GPU, else the CPU. */
export type BackendChoice = "auto" | "gpu" | "cpu";

/** Number format of the KV cache. */
export type KvFormat = "f16" | "f32";

/** `exact` keeps activations in f32; `fast` may round them to 8 bits on the CPU. */
export type Precision = "exact" | "fast";

/** How far a load is. */
export interface LoadProgress {
  /** Bytes that the executor has taken in. */
  readonly loaded: number;
  /** Bytes of the file, where the server says. */
  readonly total: number | undefined;
}

/** How to load a model. */
export interface LoadOptions {
  backend?: BackendChoice;
  kv?: KvFormat;
  precision?: Precision;
  /** Tokens that prompt and answer may have together; the model's own limit bounds it. */
  context?: number;
  /** Ends the load at once. */
  signal?: AbortSignal;
  /** Called about ten times a second, and once at the end. */
  onProgress?: (progress: LoadProgress) => void;
}

/** Which executor runs the model, and why. */
export interface BackendInfo {
  readonly kind: "gpu" | "cpu";
  /** Adapter and driver, or instruction set and threads. */
  readonly device: string;
  /** Whether the GPU adapter is a software rasteriser. */
  readonly software: boolean;
  /** Why it was chosen, a sentence for people. */
  readonly reason: string;
}

/** What was loaded. */
export interface ModelInfo {
  readonly backend: BackendInfo;
  readonly architecture: string;
  readonly name: string | undefined;
  /** Tokens that prompt and answer may have together. */
  readonly context: number;
  /** Entries of the vocabulary. */
  readonly vocabulary: number;
  /** Number of weights. */
  readonly parameters: number;
  readonly kv: KvFormat;
  readonly precision: Precision;
  /** Bytes of the file. */
  readonly bytes: number;
  readonly timings: LoadTimings;
}

/** Where the time of a load went, in milliseconds. */
export interface LoadTimings {
  /** Reading the header and building the tokenizer. */
  readonly header: number;
  /** From the call to the model being ready. */
  readonly total: number;
}

/** How to write an answer. What is left out is greedy decoding without penalties. */
export interface GenerateOptions {
  /** Tokens of the answer at most. */
  maxTokens?: number;
  /** 0 takes the most likely token. */
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  /** The same seed, backend and precision give the same text. */
  seed?: number;
  /** The answer ends before the first of these. */
  stop?: readonly string[];
  /** How many alternatives to report with each token. */
  logprobs?: number;
  /** Added to logits, by token id. */
  logitBias?: Readonly<Record<number, number>>;
  /** Ends prefill or decode at once. */
  signal?: AbortSignal;
}

/** A token that could have come. */
export interface Alternative {
  readonly id: number;
  readonly text: string;
  readonly logprob: number;
}

/** One token of an answer. */
export interface Piece {
  readonly id: number;
  /** Whole characters only: empty while a character, or what may become a stop string, is incomplete. */
  readonly text: string;
  /** Natural logarithm of its probability before any sampling option. */
  readonly logprob: number | undefined;
  /** The most likely tokens, most likely first; empty unless `logprobs` asks for them. */
  readonly top: readonly Alternative[];
}

/** How an answer went. */
export interface GenerateStats {
  /** `stop` ended by a stop id or string, `length` by `maxTokens`. */
  readonly reason: "stop" | "length";
  readonly promptTokens: number;
  readonly tokens: number;
  /** Milliseconds from the call to the first token. */
  readonly firstTokenMs: number;
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
}

/** Bytes, by place. */
export interface MemoryUse {
  readonly backend: "gpu" | "cpu";
  /** Weights, on the backend's device. */
  readonly weights: number;
  /** The KV cache, on the backend's device. */
  readonly kv: number;
  /** Temporaries and staging, on the backend's device. */
  readonly scratch: number;
  /** Size of the WebAssembly memory: on the CPU backend it contains all of the above. */
  readonly wasm: number;
  /** Size of the WebAssembly memory when header and tokenizer had been read and no weight yet. */
  readonly wasmAfterHeader: number;
}
