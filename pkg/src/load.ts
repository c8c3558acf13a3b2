import { Connection } from "./connection.js";
import { abortError, RushlightError } from "./errors.js";
import { Model } from "./model.js";
import type { LoadRequest, Source } from "./protocol.js";
import type { LoadOptions, ModelInfo } from "./types.js";

/** The smallest module that uses a 128-bit vector: `(func (drop (v128.const 0)))`. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 26, 11,
]);

/**
 * Loads a GGUF model from an address or from a file that the visitor chose. The bytes stream to the GPU, or into the
 * WebAssembly memory, as they arrive.
 */
export async function loadModel(from: string | URL | Blob, options: LoadOptions = {}): Promise<Model> {
  if (options.signal?.aborted === true) throw abortError(options.signal);
  const request = loadRequest(from, options);
  if (!WebAssembly.validate(SIMD_PROBE)) {
    throw new RushlightError("ERR_NO_BACKEND", "this browser's WebAssembly has no SIMD; a version from 2023 or later is needed");
  }
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "rushlight" });
  const connection = new Connection(worker, () => {
    worker.terminate();
  });
  worker.onerror = (event) => {
    event.preventDefault();
    const said = event.message ? `: ${event.message}` : "";
    connection.close(new RushlightError("ERR_INTERNAL", `the worker could not start${said}`));
  };
  return await loadThrough(connection, request, options);
}

/** Loads through a connection that stands. Ends it if the load fails. */
export async function loadThrough(connection: Connection, request: LoadRequest, options: LoadOptions): Promise<Model> {
  const { signal, onProgress } = options;
  const abort = (): void => {
    // The worker has nothing yet that is worth keeping, and ending it closes its fetch.
    connection.close(abortError(signal));
  };
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const call = connection.call({ type: "load", request }, onProgress === undefined ? {} : { onProgress });
    return new Model(connection, (await call.answer) as ModelInfo);
  } catch (error) {
    connection.close(new RushlightError("ERR_DISPOSED", "the model was not loaded"));
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** Checks the options and fills in what was left out. */
export function loadRequest(from: string | URL | Blob, options: LoadOptions): LoadRequest {
  const { backend = "auto", kv = "f16", context = null } = options;
  oneOf("backend", backend, ["auto", "gpu", "cpu"]);
  oneOf("kv", kv, ["f16", "f32"]);
  if (context !== null && !(Number.isSafeInteger(context) && context > 0)) {
    throw new RushlightError("ERR_BAD_ARGUMENT", `context: expected a whole number over 0, got ${String(context)}`);
  }
  return { source: sourceOf(from), backend, kv, context };
}

function sourceOf(from: string | URL | Blob): Source {
  if (from instanceof Blob) return { file: from };
  try {
    // The worker's own address is another one: relative addresses are the page's.
    return { url: new URL(from, globalThis.document.baseURI).href };
  } catch (cause) {
    throw new RushlightError("ERR_BAD_ARGUMENT", `${String(from)} is not an address`, { cause });
  }
}

function oneOf(option: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw new RushlightError("ERR_BAD_ARGUMENT", `${option}: expected one of ${allowed.join(", ")}, got ${value}`);
}
