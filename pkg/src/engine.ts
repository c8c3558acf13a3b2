// The wasm core as the worker sees it. `tsc` checks that the generated module satisfies these interfaces; the unit tests
// put a small engine of their own behind them.

import type { GenerateRequest } from "./protocol.js";
import type { BackendChoice, GenerateStats, KvFormat, MemoryUse, ModelInfo, Piece, Precision } from "./types.js";

/** What the browser says about the GPU adapter it would give. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter: boolean;
}

/** The options that cross the boundary as JSON. */
export interface CreateOptions {
  readonly backend: BackendChoice;
  readonly kv: KvFormat;
  readonly precision: Precision;
  readonly context: number | null;
  /** `null` where the browser gives none; `adapterMissing` then says why. */
  readonly adapter: AdapterDescription | null;
  readonly adapterMissing: string | null;
}

/** An object whose memory is on the wasm side. */
interface Freed {
  free(): void;
}

/** Set while an async method of the engine runs, so it is an object of its own. */
export interface CancelFlagApi extends Freed {
  cancel(): void;
  reset(): void;
}

/** One model. Async methods hold the engine: nothing else may be called before they are done. */
export interface EngineApi extends Freed {
  /** The flag that ends `push`, `finish` and `next` with `ERR_ABORTED` within 50 ms. */
  cancelFlag(): CancelFlagApi;
  /** Takes in the next bytes of the file; waits while the device has enough to do. */
  push(chunk: Uint8Array): Promise<void>;
  /** Whether header and tokenizer have been read. */
  hasHeader(): boolean;
  /** Ends the file and makes the model ready: `CoreInfo` as JSON. */
  finish(): Promise<string>;
  /** Begins an answer; takes a `CoreRequest` as JSON. */
  start(request: string): void;
  /** The next event of the answer: `CoreEvent` as JSON. */
  next(): Promise<string>;
  /** `CoreMemory` as JSON. */
  memory(): string;
  tokenize(text: string): Uint32Array;
  detokenize(ids: Uint32Array): string;
}

/** The module that wasm-bindgen generates. */
export interface CoreModule {
  /** Compiles the module; the result carries its memory. */
  init(): Promise<{ readonly memory: WebAssembly.Memory }>;
  /** Opens the backend; takes `CreateOptions` as JSON. */
  createEngine(options: string): Promise<EngineApi>;
  /** What the last Rust panic said: a panic ends as a trap that itself says nothing. */
  lastPanic(): string | undefined;
}

/** What the core says about a loaded model. */
export type CoreInfo = Omit<ModelInfo, "bytes" | "timings">;

/** What `start` takes. */
export type CoreRequest = GenerateRequest;

/** What `next` gives: pieces, then one end. */
export type CoreEvent = { readonly piece: Piece } | { readonly end: CoreEnd };

/** How an answer ended, in the core's terms. */
export interface CoreEnd {
  readonly reason: GenerateStats["reason"];
  readonly promptTokens: number;
  readonly tokens: number;
  /** Of the whole prompt. */
  readonly prefillMs: number;
  /** Of every token after the first. */
  readonly decodeMs: number;
}

/** Bytes on the backend's device. */
export type CoreMemory = Pick<MemoryUse, "weights" | "kv" | "scratch">;
