import { abilities, type Build, pickBuild } from "./builds.js";
import { Connection } from "./connection.js";
import { abortError, messageOf, RushlightError } from "./errors.js";
import { addressOf, fileSource } from "./file-source.js";
import { Model } from "./model.js";
import type { ArrivalRequest, FileSource, LoadRequest, Source } from "./protocol.js";
import { Threads } from "./threads.js";
import type { LoadOptions, ModelFiles, ModelInfo } from "./types.js";

/**
 * Loads a GGUF model from an address (of a split one that of its first part, `NAME-00001-of-0000N.gguf`) or from a file that the
 * visitor chose, or an embedding model in safetensors from its files or from the address of the folder that they lie in, which ends
 * with a slash. The bytes stream to the GPU, or into the WebAssembly memory, as they arrive.
 */
export async function loadModel(from: string | URL | Blob | ModelFiles, options: LoadOptions = {}): Promise<Model> {
  if (options.signal?.aborted === true) throw abortError(options.signal);
  refuseServers();
  const asked = loadRequest(from, options);
  const picked = pickBuild(options.build ?? "auto", options.threads, abilities());
  const connection = openConnection(picked.build, options.worker);
  return await loadThrough(connection, { ...asked, ...picked }, options);
}

/** Fails where no model could be loaded by anybody. */
export function refuseServers(): void {
  if (typeof Worker !== "undefined") return;
  throw new RushlightError("ERR_NO_BACKEND", "models are loaded in a browser: there are no web workers here");
}

/** Starts a worker with a build of the core, or has it started. */
export function openConnection(build: Build["build"], start: LoadOptions["worker"] = startWorker): Connection {
  const worker = startedBy(start, build);
  const threads = new Threads();
  const connection = new Connection(
    worker,
    () => {
      worker.terminate();
      threads.end();
    },
    (wanted) => {
      threads.lend(wanted);
    },
  );
  worker.onerror = (event) => {
    event.preventDefault();
    const said = event.message ? `: ${event.message}` : "";
    connection.close(new RushlightError("ERR_INTERNAL", `the worker could not start${said}`));
  };
  return connection;
}

/** A worker, or why there is none: a policy of the page, an address of another origin. */
function startedBy(start: NonNullable<LoadOptions["worker"]>, build: Build["build"]): Worker {
  try {
    return start(build);
  } catch (cause) {
    throw new RushlightError("ERR_NO_BACKEND", `the worker could not be started: ${messageOf(cause)}`, { cause });
  }
}

/** The workers of the two builds, written out in this form so that bundlers find the files. */
function startWorker(build: Build["build"]): Worker {
  // A name each: webpack makes it the name of a file.
  return build === "full"
    ? new Worker(new URL("./worker-full.js", import.meta.url), { type: "module", name: "rushlight-full" })
    : new Worker(new URL("./worker-compat.js", import.meta.url), { type: "module", name: "rushlight-compat" });
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
export function loadRequest(from: string | URL | Blob | ModelFiles, options: LoadOptions): LoadRequest {
  const { backend = "auto", build = "auto", precision = null, kv = "f16", context = null, threads = 1, trace = false } = options;
  oneOf("backend", backend, ["auto", "gpu", "cpu"]);
  oneOf("build", build, ["auto", "compat", "full"]);
  if (precision !== null) oneOf("precision", precision, ["exact", "fast"]);
  oneOf("kv", kv, ["f16", "f32"]);
  if (context !== null) positive("context", context);
  positive("threads", threads);
  if (typeof trace !== "boolean") throw new RushlightError("ERR_BAD_ARGUMENT", `trace: expected true or false, got ${String(trace)}`);
  const [source, arrival] = [sourceOf(from), arrivalRequest(options)];
  const prefix = options.prefix === undefined ? null : fileSource(options.prefix);
  const threadsFallback = options.worker === undefined ? "none" : "worker";
  return { source, arrival, prefix, backend, build: build === "full" ? build : "compat", precision, kv, context, threads, threadsFallback, trace };
}

/** Requests at a time at most: no server likes more. */
const MOST_CONNECTIONS = 16;

function arrivalRequest({ cache, sha256, manifest, connections = 4, cacheKey }: LoadOptions): ArrivalRequest {
  if (cache !== undefined) oneOf("cache", cache, ["opfs", "none"]);
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256)) {
    throw new RushlightError("ERR_BAD_ARGUMENT", `sha256: expected 64 hexadecimal digits, got ${sha256}`);
  }
  positive("connections", connections);
  return {
    cache: cache ?? null,
    sha256: sha256?.toLowerCase() ?? null,
    manifest: manifest === undefined || manifest === "auto" ? (manifest ?? null) : addressOf(manifest),
    connections: Math.min(connections, MOST_CONNECTIONS),
    ...(cacheKey === undefined ? {} : { cacheKey: checkKey(cacheKey) }),
  };
}

/** Keys are hashed where they are stored; a line of the journal has them as they are. */
const LONGEST_KEY = 2048;

function checkKey(key: string): string {
  if (typeof key === "string" && key !== "" && key.length <= LONGEST_KEY) return key;
  throw new RushlightError("ERR_BAD_ARGUMENT", `cacheKey: expected a text of 1 to ${LONGEST_KEY} characters`);
}

function positive(option: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RushlightError("ERR_BAD_ARGUMENT", `${option}: expected a whole number over 0, got ${String(value)}`);
}

/** Names of the files in a folder of the Hugging Face hub. */
const FILES = {
  model: "model.safetensors",
  config: "config.json",
  tokenizer: "tokenizer.json",
  sentence: "sentence_bert_config.json",
  pooling: "1_Pooling/config.json",
} as const;

function sourceOf(from: string | URL | Blob | ModelFiles): Source {
  if (typeof from !== "string" && !(from instanceof URL) && !(from instanceof Blob)) {
    const optional = (file: string | URL | Blob | undefined): FileSource | undefined =>
      file === undefined ? undefined : fileSource(file);
    const { model, config, tokenizer, sentence, pooling } = from;
    return {
      files: {
        model: fileSource(model),
        config: fileSource(config),
        tokenizer: fileSource(tokenizer),
        sentence: optional(sentence),
        pooling: optional(pooling),
      },
    };
  }
  const source = fileSource(from);
  if ("file" in source || !new URL(source.url).pathname.endsWith("/")) return source;
  const within = (name: string): FileSource => ({ url: new URL(name, source.url).href });
  return {
    files: {
      model: within(FILES.model),
      config: within(FILES.config),
      tokenizer: within(FILES.tokenizer),
      sentence: within(FILES.sentence),
      pooling: within(FILES.pooling),
    },
  };
}

function oneOf(option: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw new RushlightError("ERR_BAD_ARGUMENT", `${option}: expected one of ${allowed.join(", ")}, got ${value}`);
}
