/** What runs the model: `auto` takes a hardware GPU, else the CPU. */
export type BackendChoice = "auto" | "gpu" | "cpu";

/**
 * Which build of the WebAssembly core runs: `full` has relaxed SIMD, and threads where the page is cross-origin isolated;
 * `compat` has one thread, and runs in every browser since 2023. `auto` takes `full` where the browser can.
 */
export type BuildChoice = "auto" | "compat" | "full";

/** How the CPU multiplies: `exact` with 32-bit activations, `fast` with activations of 8 bits. */
export type Precision = "exact" | "fast";

/** Number format of the KV cache. */
export type KvFormat = "f16" | "f32";

/** Where model files are kept: in the origin private file system, or nowhere. */
export type CacheChoice = "opfs" | "none";

/** How far a load is. The file of the option `prefix` counts too. */
export interface LoadProgress {
  /** Bytes that have arrived; those of the weights have been taken in by the executor. */
  readonly loaded: number;
  /** Those of them that were kept from an earlier load, and not fetched. */
  readonly cached: number;
  /** Bytes of all files, where the server says; not before it has said so of each. */
  readonly total: number | undefined;
  /** Set while another tab fetches the same file, and this one waits for it: `loaded` is then what that tab has of it. */
  readonly waiting?: true;
}

/** The files of a model in safetensors, such as all-MiniLM-L6-v2. */
export interface ModelFiles {
  /** `model.safetensors`. */
  model: string | URL | Blob;
  /** `config.json`. */
  config: string | URL | Blob;
  /** `tokenizer.json`. */
  tokenizer: string | URL | Blob;
  /** `sentence_bert_config.json`: the number of tokens that texts are cut to. */
  sentence?: string | URL | Blob;
  /** `1_Pooling/config.json`: how the vectors of tokens become one. */
  pooling?: string | URL | Blob;
}

/** How to load a model. */
export interface LoadOptions {
  backend?: BackendChoice;
  /** Left alone but for tests. */
  build?: BuildChoice;
  /**
   * Starts the worker, for pages whose tools do not find it by themselves or that serve it from an address of their own: a module
   * worker that runs `rushlight/worker`, or the package's `dist/worker-compat.js` or `dist/worker-full.js` as `build` says.
   */
  worker?: (build: Exclude<BuildChoice, "auto">) => Worker;
  /**
   * Threads of the CPU: never more than the browser says there are cores, 8 of them at most where this is left out. One where
   * the page is not cross-origin isolated.
   */
  threads?: number;
  precision?: Precision;
  kv?: KvFormat;
  /** Tokens that prompt and answer may have together; the model's own limit bounds it. */
  context?: number;
  /**
   * Whether files from addresses are kept for later loads, which then work without a network and go on where an earlier one was
   * interrupted. Where this is left out they are kept if that can be, and `ModelInfo.cached` says whether they are; `opfs` insists, and
   * fails with `ERR_STORAGE` or `ERR_QUOTA`. Files of the visitor's own are never kept.
   */
  cache?: CacheChoice;
  /**
   * What the model is kept under, in place of its address: for addresses that differ from visit to visit, as signed ones do. The
   * further files of a model (parts, tokenizer, a `prefix`) have names that begin with it. Give the same to `plan` and to `cache.delete`.
   */
  cacheKey?: string;
  /** SHA-256 of the model file, in hexadecimal digits: the load fails with `ERR_HASH` if it has another. Not for split models. */
  sha256?: string;
  /**
   * Address of the file's manifest, which `rushlight manifest` writes, or `auto` for one beside it (its address with
   * `.sha256.json`), which may be missing. Each chunk is compared with it as it arrives, and fetched again, twice, where it
   * differs; then the load fails with `ERR_HASH`. Only `auto` for split models: each part has its own.
   */
  manifest?: string | URL;
  /**
   * A file of `rushlight prefix`: what it computed natively of a text that prompts will begin with. It arrives beside the weights, is
   * taken up when the model is there, as `restoreFrom` does, and is kept as the model is. Where it cannot be had the load fails at
   * once; one of another model fails it with `ERR_OTHER_MODEL`.
   */
  prefix?: string | URL | Blob;
  /**
   * Enter what is done into the page's performance timeline, for its profiler: `rushlight:load`, for each answer `rushlight:prefill` and
   * `rushlight:decode`, and `rushlight:embed`. `false` where this is left out.
   */
  trace?: boolean;
  /** Requests to the server at a time, 1 to 16; 4 where this is left out, 1 where the server only gives whole files. */
  connections?: number;
  /** Ends the load at once. What has been stored stays, for the next one. */
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
  /** The build of the WebAssembly core. */
  readonly build: Exclude<BuildChoice, "auto">;
  /** Threads that share the work; 1 where the GPU does it. Fewer than asked for where the browser started fewer. */
  readonly threads: number;
}

/** What was loaded. */
export interface ModelInfo {
  readonly backend: BackendInfo;
  readonly architecture: string;
  readonly name: string;
  /** Tokens that prompt and answer may have together; what the texts of an embedding model are cut to. */
  readonly context: number;
  /** Elements of an embedding; `null` for a model that writes text or marks answers. */
  readonly dimensions: number | null;
  /** Whether the file brings a chat template, which `chat` needs. */
  readonly chat: boolean;
  /** Tokens that the model was trained for. */
  readonly trainedContext: number;
  /** Entries of the vocabulary. */
  readonly vocabulary: number;
  /** Number of weights. */
  readonly parameters: number;
  readonly kv: KvFormat;
  /** Bytes of the file. */
  readonly bytes: number;
  /** Whether its files are kept in the browser's storage, so that a later load need not fetch them. */
  readonly cached: boolean;
  /** Why they are not, a sentence for people; `null` where they are. */
  readonly cacheReason: string | null;
  readonly timings: LoadTimings;
}

/** Where the time of a load went, in milliseconds. */
export interface LoadTimings {
  /** Reading the metadata. */
  readonly header: number;
  /** Building the tokenizer's tables. */
  readonly tokenizer: number;
  /** From the call to the model being ready. */
  readonly total: number;
}

/** How to write an answer. What is left out is greedy decoding without penalties. */
export interface GenerateOptions {
  /** Tokens of the answer at most; as many as the context holds where left out. */
  maxTokens?: number;
  /** 0 takes the most likely token. */
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  /** The same seed, backend and precision give the same text. Any whole number of 64 bits, with a sign or without. */
  seed?: number | bigint;
  /** The answer ends before the first of these. */
  stop?: readonly string[];
  /** Report each token's probability, and so many of the most likely tokens; 0 reports the token's own alone. */
  logprobs?: number;
  /** Added to logits, by token id. */
  logitBias?: Readonly<Record<number, number>>;
  /** Take from the KV cache what the prompt has in common with the one before it; `true` where left out. */
  reuse?: boolean;
  /** Ends prefill or decode at once. */
  signal?: AbortSignal;
}

/** How to answer a conversation. */
export interface ChatOptions extends GenerateOptions {
  /**
   * What happens when the conversation has outgrown the context: `"error"` (where left out) refuses it with `ERR_CONTEXT`; `"trim"`
   * leaves out its oldest turns, keeps the system message, and says how many turns are missing (`GenerateStats.droppedTurns`).
   */
  overflow?: "error" | "trim";
}

/** What a call that takes its time may be told. */
export interface CallOptions {
  /** Ends it within 50 ms, also while it waits for its turn. */
  signal?: AbortSignal;
}

/** How to embed. */
export type EmbedOptions = CallOptions;

/** A token that could have come. */
export interface Alternative {
  readonly id: number;
  readonly text: string;
  readonly logprob: number;
}

/** One token of an answer. The texts of all pieces are the answer. */
export interface Piece {
  /** `null` in a last piece without a token: text that was held back and now is final. */
  readonly id: number | null;
  /** Whole characters only: empty while a character, or what may become a stop string, is incomplete. */
  readonly text: string;
  /** Natural logarithm of its probability before any sampling option; `null` unless `logprobs` asks for it. */
  readonly logprob: number | null;
  /** The most likely tokens, most likely first; as many as `logprobs` asks for. */
  readonly top: readonly Alternative[];
}

/** How an answer went. */
export interface GenerateStats {
  /** The model's own end, a stop string, `maxTokens`, or a full context. */
  readonly reason: "stop" | "stop_text" | "length" | "context";
  /** Tokens of the prompt, cached ones included. */
  readonly promptTokens: number;
  /** Tokens of the prompt that needed no work: what it has in common with the prompt before it and its answer. */
  readonly cachedTokens: number;
  /** Oldest turns of the conversation that were left out, where `overflow` allows it. */
  readonly droppedTurns: number;
  readonly tokens: number;
  /** Milliseconds from the start of the work to the first token. */
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
  /** The tokenizer's tables, in the WebAssembly memory. */
  readonly tokenizer: number;
  /** Size of the WebAssembly memory: on the CPU backend it contains all of the above. */
  readonly wasm: number;
  /** Size of the WebAssembly memory when header and tokenizer had been read and no weight yet. */
  readonly wasmAfterHeader: number;
}
