/**
 * Every way in which a load or an answer can fail. The codes are stable; the messages are for people. What to do about each is in
 * the package's README.
 *
 * - `ERR_ABORTED`: the signal was aborted.
 * - `ERR_BAD_ARGUMENT`, `ERR_BAD_SETTING`: an option is out of its range.
 * - `ERR_BAD_FILE`: not a model file, damaged or truncated, or a web page in its place.
 * - `ERR_BAD_LOGITS`: the model computed something that is no number.
 * - `ERR_BAD_LOGIT_BIAS`, `ERR_UNKNOWN_TOKEN`: a token id that the vocabulary does not have.
 * - `ERR_BAD_TOKENIZER_JSON`, `ERR_BAD_VOCABULARY`, `ERR_NO_TOKENIZER`: the tokenizer's data is damaged, contradicts itself, is missing.
 * - `ERR_CONTEXT`: the prompt and the answer, or a question with one passage, do not fit into the context; or a document is larger
 *   than is searched.
 * - `ERR_DEVICE`: the GPU reported an error.
 * - `ERR_DEVICE_LOST`: the GPU went away; the model has to be loaded again.
 * - `ERR_DISPOSED`: the model was disposed of.
 * - `ERR_EMPTY_DOCUMENT`, `ERR_EMPTY_QUESTION`: there is nothing to read, or nothing to answer.
 * - `ERR_EMPTY_STOP`: a stop string without characters.
 * - `ERR_HASH`: the file is not the one whose SHA-256 was given, or arrived damaged three times; nothing of it is kept. Load it
 *   again; if it stays so, the file on the server is another one than the hash or the manifest was made of.
 * - `ERR_INTERNAL`: a mistake in Rushlight.
 * - `ERR_NETWORK`: the file could not be fetched; `status` is the HTTP status where there was one.
 * - `ERR_NO_BACKEND`: the browser has nothing that can run the model as asked.
 * - `ERR_NO_CANDIDATES`: the sampling options leave no token.
 * - `ERR_NO_TEMPLATE`: the model's file brings no chat template; write its prompt with `generate`.
 * - `ERR_OTHER_MODEL`: a saved conversation is of another model, or of another format of the KV cache.
 * - `ERR_OUT_OF_MEMORY`: the device or the tab has no room.
 * - `ERR_QUOTA`: the browser has no room to keep the file, and `cache: "opfs"` insisted. Make some with `cache.delete`, ask for more
 *   with `cache.persist`, or leave `cache` out.
 * - `ERR_STORAGE`: the browser keeps no files for this page, failed to, or a file is in use; a load fails with it only under
 *   `cache: "opfs"`. Leave `cache` out, or try again later.
 * - `ERR_TEMPLATE`: the chat template refuses the messages, or is broken.
 * - `ERR_TEXT_TOO_LONG`, `ERR_UNENCODABLE`: a text of more than 4 GB, a character without a token.
 * - `ERR_UNSUPPORTED`, `ERR_UNSUPPORTED_MODEL`, `ERR_UNSUPPORTED_TOKENIZER`: a sound file or request that this version cannot run.
 */
export type ErrorCode =
  | "ERR_ABORTED"
  | "ERR_BAD_ARGUMENT"
  | "ERR_BAD_FILE"
  | "ERR_BAD_LOGITS"
  | "ERR_BAD_LOGIT_BIAS"
  | "ERR_BAD_SETTING"
  | "ERR_BAD_TOKENIZER_JSON"
  | "ERR_BAD_VOCABULARY"
  | "ERR_CONTEXT"
  | "ERR_DEVICE"
  | "ERR_DEVICE_LOST"
  | "ERR_DISPOSED"
  | "ERR_EMPTY_DOCUMENT"
  | "ERR_EMPTY_QUESTION"
  | "ERR_EMPTY_STOP"
  | "ERR_HASH"
  | "ERR_INTERNAL"
  | "ERR_NETWORK"
  | "ERR_NO_BACKEND"
  | "ERR_NO_CANDIDATES"
  | "ERR_NO_TEMPLATE"
  | "ERR_NO_TOKENIZER"
  | "ERR_OTHER_MODEL"
  | "ERR_OUT_OF_MEMORY"
  | "ERR_QUOTA"
  | "ERR_STORAGE"
  | "ERR_TEMPLATE"
  | "ERR_TEXT_TOO_LONG"
  | "ERR_UNENCODABLE"
  | "ERR_UNKNOWN_TOKEN"
  | "ERR_UNSUPPORTED"
  | "ERR_UNSUPPORTED_MODEL"
  | "ERR_UNSUPPORTED_TOKENIZER"
  | (string & {});

/** An error as it travels between the worker and the page. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly status?: number;
}

/** What everything in this package throws. */
export class RushlightError extends Error {
  readonly code: ErrorCode;
  /** HTTP status of the answer, where the failure was one. */
  readonly status: number | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; status?: number | undefined } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    // Callers that know `fetch` look for this name.
    this.name = code === "ERR_ABORTED" ? "AbortError" : "RushlightError";
    this.code = code;
    this.status = options.status;
  }
}

/** The error of an aborted signal; its reason is kept as the cause. */
export function abortError(signal?: AbortSignal): RushlightError {
  const cause: unknown = signal?.reason;
  return new RushlightError("ERR_ABORTED", "the operation was aborted", cause === undefined ? {} : { cause });
}

/** What an unknown thrown value says. */
export function messageOf(value: unknown): string {
  return value instanceof Error ? value.message : String(value);
}

/** Turns anything thrown into plain data that can be posted. The core's errors carry a `code`. */
export function toErrorData(value: unknown): ErrorData {
  if (value instanceof RushlightError) {
    const { code, message, status } = value;
    return status === undefined ? { code, message } : { code, message, status };
  }
  if (value instanceof Error && "code" in value && typeof value.code === "string") {
    return { code: value.code, message: value.message };
  }
  if (value instanceof RangeError) return { code: "ERR_OUT_OF_MEMORY", message: value.message };
  return { code: "ERR_INTERNAL", message: messageOf(value) };
}

/** The error that was posted. */
export function fromErrorData({ code, message, status }: ErrorData): RushlightError {
  return new RushlightError(code, message, { status });
}
