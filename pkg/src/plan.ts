import { abilities, pickBuild } from "./builds.js";
import type { Connection } from "./connection.js";
import { abortError, type ErrorCode, RushlightError } from "./errors.js";
import { loadRequest, openConnection, refuseServers } from "./load.js";
import type { LoadRequest } from "./protocol.js";
import type { LoadOptions } from "./types.js";

/** What a load would be asked to do. */
export type PlanOptions = Pick<
  LoadOptions,
  "backend" | "build" | "threads" | "precision" | "kv" | "context" | "cache" | "cacheKey" | "prefix" | "worker" | "signal"
>;

/** What loading a model would take. Where the file is far from a model, what nothing is known of is empty or 0. */
export interface LoadPlan {
  /** Whether it would load. */
  readonly ok: boolean;
  /** Why it would fail, or why that backend was chosen: a sentence for people. */
  readonly reason: string;
  /** The code that `loadModel` would fail with. */
  readonly code: ErrorCode | null;
  readonly architecture: string;
  readonly name: string;
  /** As files are called: `Q4_K_M`, `F16`. */
  readonly quantisation: string;
  /** Number of weights. */
  readonly parameters: number;
  /** Bytes of the file with the weights, or of all parts of a split one. */
  readonly fileBytes: number;
  /**
   * Those of them that have to be fetched, and of the option `prefix`: what earlier loads have stored is not, and nothing of a file
   * that the visitor chose.
   */
  readonly fetchBytes: number;
  /** Bytes that the loaded model would hold, on its device and in the tab. */
  readonly memoryBytes: number;
  readonly backend: { readonly kind: "gpu" | "cpu"; readonly device: string; readonly reason: string };
  /** Tokens that prompt and answer may have together. */
  readonly context: number;
  readonly trainedContext: number;
  /** Whether there is a chat template. */
  readonly chat: boolean;
  /**
   * Tokens of an answer per second, as a tenth of a second of work on the backend suggests; `null` where it could not be measured.
   */
  readonly tokensPerSecond: number | null;
}

/**
 * What loading a model would take, before it is fetched: the first bytes of the file say it, a megabyte for most models, and of each
 * part of a split one. Nothing is kept of them but what lies beside a model in safetensors. That the load would fail is an answer too;
 * only a wrong option and an abort are errors.
 */
export async function plan(from: string | URL | Blob, options: PlanOptions = {}): Promise<LoadPlan> {
  if (options.signal?.aborted === true) throw abortError(options.signal);
  const asked = loadRequest(from, options);
  let build, connection;
  try {
    refuseServers();
    build = pickBuild(options.build ?? "auto", options.threads, abilities());
    connection = openConnection(build.build, options.worker);
  } catch (error) {
    return asPlan(error);
  }
  return await planThrough(connection, { ...asked, ...build }, options.signal);
}

/** Plans through a connection that stands, and ends it. */
export async function planThrough(connection: Connection, request: LoadRequest, signal?: AbortSignal): Promise<LoadPlan> {
  const abort = (): void => {
    connection.close(abortError(signal));
  };
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return (await connection.call({ type: "plan", request }).answer) as LoadPlan;
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return asPlan(error);
  } finally {
    signal?.removeEventListener("abort", abort);
    connection.close(new RushlightError("ERR_DISPOSED", "the plan is made"));
  }
}

/** A failure to reach the file, or to start, as a plan says it. */
function asPlan(error: unknown): LoadPlan {
  if (!(error instanceof RushlightError)) throw error;
  return {
    ok: false,
    reason: error.message,
    code: error.code,
    architecture: "",
    name: "",
    quantisation: "",
    parameters: 0,
    fileBytes: 0,
    fetchBytes: 0,
    memoryBytes: 0,
    backend: { kind: "cpu", device: "", reason: "" },
    context: 0,
    trainedContext: 0,
    chat: false,
    tokensPerSecond: null,
  };
}
