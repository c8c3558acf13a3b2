// What page and worker say to each other. Requests have an id; the answer to each ends with one `result` or one `error`.

import type { AskRequest, AskStage, NamedText, SentencesOf } from "./ask.js";
import type { ChatMessage } from "./chat.js";
import type { ErrorData } from "./errors.js";
import type { Measure } from "./measures.js";
import type { ThreadsWanted } from "./threads.js";
import type { BackendChoice, BuildChoice, CacheChoice, ChatOptions, GenerateOptions, KvFormat, LoadProgress, Piece, Precision } from "./types.js";

/** A file. */
export type FileSource = { readonly url: string } | { readonly file: Blob };

/** The files of a model in safetensors; those that are not there by every model are `undefined` or may be missing. */
export interface FilesSource {
  readonly model: FileSource;
  readonly config: FileSource;
  readonly tokenizer: FileSource;
  readonly sentence: FileSource | undefined;
  readonly pooling: FileSource | undefined;
}

/** A conversation: of this origin's store, or a file. */
export type SavedSource = { readonly name: string } | FileSource;

/** Where a model comes from. */
export type Source = FileSource | { readonly files: FilesSource };

/** How files from addresses arrive: options of `loadModel`, `null` where they were left out. */
export interface ArrivalRequest {
  readonly cache: CacheChoice | null;
  readonly sha256: string | null;
  /** An address, or `auto`. */
  readonly manifest: string | null;
  readonly connections: number;
  /** What the model's file is stored under in place of its address. */
  readonly cacheKey?: string;
}

/** The load options that can be posted. */
export interface LoadRequest {
  readonly source: Source;
  readonly arrival: ArrivalRequest;
  /** A conversation to begin with. */
  readonly prefix: FileSource | null;
  readonly backend: BackendChoice;
  /** The build of the core that this worker is to be. */
  readonly build: Exclude<BuildChoice, "auto">;
  readonly precision: Precision | null;
  readonly kv: KvFormat;
  readonly context: number | null;
  readonly threads: number;
  /** Who starts the workers that lend theirs where the page cannot. */
  readonly threadsFallback: "none" | "worker";
  /** Whether the page wants to hear of times. */
  readonly trace: boolean;
}

/** The generate options that can be posted. */
export type GenerateRequest = Omit<GenerateOptions, "signal"> & Prompt;

/** What an answer answers. */
export type Prompt =
  | { readonly prompt: string }
  | { readonly messages: readonly ChatMessage[]; readonly overflow?: NonNullable<ChatOptions["overflow"]> };

/** From the page. A `cancel` names the request that it ends. */
export type Request =
  | { readonly type: "load"; readonly id: number; readonly request: LoadRequest }
  | { readonly type: "plan"; readonly id: number; readonly request: LoadRequest }
  | { readonly type: "generate"; readonly id: number; readonly request: GenerateRequest }
  | { readonly type: "embed"; readonly id: number; readonly texts: readonly string[] }
  | { readonly type: "ask-open"; readonly id: number; readonly documents: readonly NamedText[]; readonly question: string; readonly embeds: boolean }
  | { readonly type: "ask-sentences"; readonly id: number; readonly documents: readonly NamedText[]; readonly question: string; readonly document: number }
  | { readonly type: "ask"; readonly id: number; readonly ask: AskRequest }
  | { readonly type: "index-open"; readonly id: number; readonly documents: readonly SentencesOf[]; readonly keep: boolean }
  | { readonly type: "index-give"; readonly id: number; readonly document: number; readonly sentences: readonly string[] }
  | { readonly type: "index-compare"; readonly id: number; readonly question: string; readonly first: Uint32Array }
  /** Goes on until all is done or another request comes. */
  | { readonly type: "index-fill"; readonly id: number; readonly keep: boolean }
  | { readonly type: "save"; readonly id: number; readonly name: string }
  | { readonly type: "restore"; readonly id: number; readonly from: SavedSource }
  | { readonly type: "memory"; readonly id: number }
  | { readonly type: "tokenize"; readonly id: number; readonly text: string }
  | { readonly type: "detokenize"; readonly id: number; readonly ids: readonly number[] }
  | { readonly type: "cancel"; readonly id: number };

/** From the worker. `fatal` means that it can do nothing any more. */
export type Reply =
  | { readonly type: "progress"; readonly id: number; readonly progress: LoadProgress }
  | { readonly type: "piece"; readonly id: number; readonly piece: Piece }
  | { readonly type: "stage"; readonly id: number; readonly stage: AskStage }
  | { readonly type: "result"; readonly id: number; readonly value: unknown }
  | { readonly type: "error"; readonly id: number; readonly error: ErrorData }
  /** For the page's performance timeline. */
  | { readonly type: "measure"; readonly measure: Measure }
  /** The page is to start threads for the engine's pool. */
  | { readonly type: "lend"; readonly wanted: ThreadsWanted }
  | { readonly type: "fatal"; readonly error: ErrorData };

/** The side of a worker that the page holds, and of a message port in tests. */
export interface Channel<In, Out> {
  postMessage(message: Out): void;
  onmessage: ((event: MessageEvent<In>) => void) | null;
}
