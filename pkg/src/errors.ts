/**
 * Every way in which a load or an answer can fail. The codes are stable; the messages are for people. The core may add codes
 * that say more than these.
 *
 * - `ERR_ABORTED`: the signal was aborted.
 * - `ERR_BAD_ARGUMENT`, `ERR_BAD_SETTING`: an option is out of its range.
 * - `ERR_BAD_FILE`: not a model file, damaged or truncated.
 * - `ERR_CONTEXT`: the prompt and the answer do not fit into the context.
 * - `ERR_DEVICE`: the GPU reported an error.
 * - `ERR_DEVICE_LOST`: the GPU went away; the model has to be loaded again.
 * - `ERR_DISPOSED`: the model was disposed of.
 * - `ERR_EMPTY_DOCUMENT`, `ERR_EMPTY_QUESTION`: there is nothing to read, or nothing to answer.
 * - `ERR_INTERNAL`: a mistake in Rushlight.
 * - `ERR_NETWORK`: the file could not be fetched; `status` is the HTTP status where there was one.
 * - `ERR_NO_BACKEND`: the browser has nothing that can run the model as asked.
 * - `ERR_OUT_OF_MEMORY`: the device or the tab has no room.
 * - `ERR_UNSUPPORTED`, `ERR_UNSUPPORTED_MODEL`, `ERR_UNSUPPORTED_TOKENIZER`: a sound file that this version cannot run.
 */
export type ErrorCode =
  | "ERR_ABORTED"
  | "ERR_BAD_ARGUMENT"
  | "ERR_BAD_FILE"
  | "ERR_BAD_SETTING"
  | "ERR_CONTEXT"
  | "ERR_DEVICE"
  | "ERR_DEVICE_LOST"
  | "ERR_DISPOSED"
  | "ERR_EMPTY_DOCUMENT"
  | "ERR_EMPTY_QUESTION"
  | "ERR_INTERNAL"
  | "ERR_NETWORK"
  | "ERR_NO_BACKEND"
  | "ERR_OUT_OF_MEMORY"
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
function messageOf(value: unknown): string {
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
