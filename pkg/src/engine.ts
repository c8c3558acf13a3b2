// The wasm core as the worker sees it. `tsc` checks that the generated module satisfies these interfaces; the unit tests
// put a small engine of their own behind them.

import type { LoadPlan } from "./plan.js";
import type { BackendChoice, GenerateStats, KvFormat, LoadTimings, MemoryUse, ModelInfo, Piece, Precision } from "./types.js";

/** What the page knows of the GPU adapter. */
export interface AdapterHint {
  /** For people. */
  readonly name: string;
  /** Whether it rasterises in software. */
  readonly software: boolean;
}

/** What lies beside a model in safetensors, as text. */
export interface CoreFiles {
  readonly config: string;
  readonly tokenizer: string;
  readonly sentence: string | null;
  readonly pooling: string | null;
}

/** The options that cross the boundary as JSON. */
export interface CreateOptions {
  readonly backend: BackendChoice;
  /** What the core thinks best where `null`. */
  readonly precision: Precision | null;
  readonly kv: KvFormat;
  readonly context: number | null;
  /** Threads of the CPU executor. */
  readonly threads: number;
  readonly adapter: AdapterHint | null;
  /** Bytes of the file, or of its first part, where known: a damaged one is then named at its header. */
  readonly fileBytes: number | null;
  /** Of a model in safetensors; `null` for GGUF. */
  readonly files: CoreFiles | null;
  /** Only say what the load would take. */
  readonly plan?: boolean;
}

/** An object whose memory is on the wasm side. */
interface Freed {
  free(): void;
}

/** Set while an async method of the engine runs, so it is an object of its own. */
export interface CancelFlagApi extends Freed {
  cancel(): void;
}

/** Questions about documents. */
export interface AskApi {
  /** Throws where there is nothing to answer. */
  askCheck(question: string): void;
  /** The text as it is searched: wrapped lines joined, NFC, without what nobody sees. Sentences are found in it. */
  askView(text: string): string;
  /** Takes documents with the ends of their views' sentences, `{ title, text, ends }[]` as JSON; gives `{ key, sentences }[]`: what tells the sentences of each from others, and their number. */
  askOpen(documents: string): string;
  /** The sentences of a document, as JSON. */
  askSentences(document: number): string;
  /** The sentences whose vectors a question needs, counted through the documents; none where the model reads them whole. */
  askFirst(question: string): Uint32Array;
  /** Finds passages; takes `{ question, similarities, mode }` as JSON. Forgets earlier cancels. */
  askStart(request: string): string;
  /** Reads the next passage; how many have been read. */
  askStep(): Promise<number>;
  /** `Answer` as JSON, once all are read. */
  askAnswer(): string;
  /** `Answer` as JSON, for what was written freely. */
  askSupport(said: string): string;
}

/** The vectors of documents in an embedder's worker. Sentences are counted through those that are open. */
export interface IndexApi {
  /** Opens documents in place of those that were; takes `{ key, sentences }[]` as JSON, gives what tells the embedder from others. */
  indexOpen(documents: string): string;
  /** `{ done, texts }[]` as JSON: sentences of each document that are embedded, and whether their texts are here. */
  indexState(): string;
  /** Takes what `indexBytes` gave of a document; throws where it is damaged or of another. */
  indexTake(document: number, bytes: Uint8Array): void;
  /** Takes the sentences of a document as JSON. */
  indexTexts(document: number, sentences: string): void;
  /** Those of some sentences that are not embedded. */
  indexLacking(sentences: Uint32Array): Uint32Array;
  /** Those to embed next in the background; none where all are, or where there is no more room. */
  indexNext(): Uint32Array;
  /** Embeds sentences. Forgets earlier cancels. */
  indexEmbed(sentences: Uint32Array): Promise<void>;
  /** Sentences that are embedded, and all. */
  indexProgress(): Uint32Array;
  /** The product of a question's vector with that of each sentence; not a number where that has none. Forgets earlier cancels. */
  indexCompare(question: string): Promise<Float32Array>;
  /** A document's vectors as bytes, with what it is called. */
  indexBytes(document: number, title: string): Uint8Array;
}

/** One model. Async methods hold the engine: nothing else may be called before they are done. */
export interface EngineApi extends Freed, AskApi, IndexApi {
  /** The flag that ends a load with `ERR_ABORTED` and an answer with the reason `cancelled`, within 50 ms. */
  cancelFlag(): CancelFlagApi;
  /** Takes in the next bytes of the file; waits while the device has enough to do. */
  push(chunk: Uint8Array): Promise<void>;
  /** Ends a part of a split file and begins the next, of so many bytes where that is known. */
  nextPart(fileBytes: number | undefined): Promise<void>;
  /** Whether header and tokenizer have been read. */
  hasHeader(): boolean;
  /** Ends the file and makes the model ready: `CoreInfo` as JSON. */
  finish(): Promise<string>;
  /** In place of `finish` where only a plan was asked for: `CorePlan` as JSON. */
  plan(): Promise<string>;
  /** Begins an answer; takes a `GenerateRequest` as JSON. Forgets earlier cancels. */
  start(request: string): void;
  /** The next event of the answer: `CoreEvent` as JSON. */
  next(): Promise<string>;
  /** The vectors of texts, given as a JSON list, one behind the other. Forgets earlier cancels. */
  embed(texts: string): Promise<Float32Array>;
  /** The conversation so far: its tokens and their KV cache. */
  exportConversation(): Promise<Uint8Array>;
  /** Takes up a conversation of the same model. */
  importConversation(bytes: Uint8Array): void;
  /** `CoreMemory` as JSON. */
  memory(): string;
  tokenize(text: string): Uint32Array;
  detokenize(ids: Uint32Array): string;
}

/** The module that wasm-bindgen generates. */
export interface CoreModule {
  /** Compiles the module; the result carries its memory. */
  init(): Promise<{ readonly memory: WebAssembly.Memory }>;
  /** Opens the backend; takes `CreateOptions` as JSON, and a turn of the event loop. */
  createEngine(options: string, breathe: () => Promise<void>): Promise<EngineApi>;
  /** What the last Rust panic said: a panic ends as a trap that itself says nothing. */
  lastPanic(): string | undefined;
  /** Threads that the engine's pool has room for. */
  poolVacancies(): number;
}

/** What the core says of a load that is only planned. */
export type CorePlan = Omit<LoadPlan, "ok" | "fetchBytes">;

/** What the core says about a loaded model. */
export type CoreInfo = Omit<ModelInfo, "bytes" | "cached" | "cacheReason" | "timings"> & { readonly timings: Omit<LoadTimings, "total"> };

/** What `next` gives: pieces, then one end. */
export type CoreEvent = { readonly piece: Piece } | { readonly end: CoreEnd };

/** How an answer ended. */
export interface CoreEnd extends Omit<GenerateStats, "reason"> {
  readonly reason: GenerateStats["reason"] | "cancelled";
  /** What was still held back. */
  readonly text: string;
}

/** Bytes on the backend's device, and of the tokenizer, which is always in wasm. */
export type CoreMemory = Pick<MemoryUse, "weights" | "kv" | "scratch" | "tokenizer">;
