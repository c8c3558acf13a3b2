// The worker's side: takes requests one after the other to the core, and says what comes of them.

import type { AdapterAnswer } from "./adapter.js";
import type { CoreEvent, CoreInfo, CoreMemory, CoreModule, CreateOptions, EngineApi } from "./engine.js";
import { abortError, type ErrorData, RushlightError, toErrorData } from "./errors.js";
import type { Channel, GenerateRequest, LoadRequest, Reply, Request } from "./protocol.js";
import { open } from "./source.js";
import type { GenerateStats, LoadProgress, MemoryUse, ModelInfo } from "./types.js";

/** Progress is for eyes: this often is enough. */
const PROGRESS_INTERVAL_MS = 100;

/** A loaded model and what the worker remembers of its load. */
interface Loaded {
  readonly engine: EngineApi;
  readonly info: ModelInfo;
  readonly wasmAfterHeader: number;
}

/** Where the host's world is: the tests bring their own. */
export interface Surroundings {
  readonly core: CoreModule;
  readonly describeAdapter: () => Promise<AdapterAnswer>;
  /** Lets the events that wait, a cancel among them, be heard. */
  readonly yieldToEvents: () => Promise<void>;
}

/** Answers the requests of one page for one model. */
export class Host {
  readonly #channel: Channel<Request, Reply>;
  readonly #surroundings: Surroundings;
  /** Requests that wait for their turn. */
  readonly #waiting = new Set<number>();
  /** The end of the queue: async methods hold the engine, so that requests go one at a time. */
  #queue: Promise<void> = Promise.resolve();
  #running: { readonly id: number; readonly controller: AbortController } | undefined;
  #wasm: WebAssembly.Memory | undefined;
  #loaded: Loaded | undefined;

  constructor(channel: Channel<Request, Reply>, surroundings: Surroundings) {
    this.#channel = channel;
    this.#surroundings = surroundings;
    channel.onmessage = (event) => {
      this.#receive(event.data);
    };
  }

  /** Says that the worker can do nothing any more: the core trapped. */
  fatal(thrown: unknown): void {
    this.#channel.postMessage({ type: "fatal", error: this.#describeTrap(thrown) });
  }

  #receive(request: Request): void {
    const { id } = request;
    if (request.type === "cancel") {
      this.#waiting.delete(id);
      if (this.#running?.id === id) this.#running.controller.abort();
      return;
    }
    this.#waiting.add(id);
    this.#queue = this.#queue.then(() => this.#take(request));
  }

  async #take(request: Exclude<Request, { type: "cancel" }>): Promise<void> {
    const { id } = request;
    if (!this.#waiting.delete(id)) {
      this.#channel.postMessage({ type: "error", id, error: toErrorData(abortError()) });
      return;
    }
    const controller = new AbortController();
    this.#running = { id, controller };
    try {
      const value = await this.#answer(request, controller.signal);
      this.#channel.postMessage({ type: "result", id, value });
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) this.fatal(error);
      else this.#channel.postMessage({ type: "error", id, error: toErrorData(error) });
    } finally {
      this.#running = undefined;
    }
  }

  async #answer(request: Exclude<Request, { type: "cancel" }>, signal: AbortSignal): Promise<unknown> {
    switch (request.type) {
      case "load":
        return await this.#load(request.id, request.request, signal);
      case "generate":
        return await this.#generate(request.id, request.request, signal);
      case "memory":
        return this.#memory();
      case "tokenize":
        return Array.from(this.#model().engine.tokenize(request.text));
      case "detokenize":
        return this.#model().engine.detokenize(Uint32Array.from(request.ids));
    }
  }

  #model(): Loaded {
    if (this.#loaded === undefined) throw new RushlightError("ERR_INTERNAL", "no model is loaded");
    return this.#loaded;
  }

  async #load(id: number, request: LoadRequest, signal: AbortSignal): Promise<ModelInfo> {
    const began = performance.now();
    const { core, describeAdapter } = this.#surroundings;
    // The connection is opened first: the core compiles while the server answers.
    const opening = open(request.source, signal);
    opening.catch(() => undefined); // It is awaited below, after what may fail sooner.
    const { memory } = await core.init();
    this.#wasm = memory;
    const engine = await core.createEngine(JSON.stringify(await createOptions(request, describeAdapter)));
    const flag = engine.cancelFlag();
    const cancel = (): void => {
      flag.cancel();
    };
    signal.addEventListener("abort", cancel);
    try {
      const incoming = await opening;
      let loaded = 0;
      let header = 0;
      let wasmAfterHeader = 0;
      let posted = 0;
      const progress = (): void => {
        const report: LoadProgress = { loaded, total: incoming.total };
        this.#channel.postMessage({ type: "progress", id, progress: report });
        posted = performance.now();
      };
      for await (const chunk of incoming.chunks) {
        const before = performance.now();
        await engine.push(chunk);
        loaded += chunk.length;
        if (wasmAfterHeader === 0) {
          header += performance.now() - before;
          if (engine.hasHeader()) wasmAfterHeader = memory.buffer.byteLength;
        }
        if (performance.now() - posted >= PROGRESS_INTERVAL_MS) progress();
      }
      const info = JSON.parse(await engine.finish()) as CoreInfo;
      progress();
      const timings = { header, total: performance.now() - began };
      this.#loaded = { engine, info: { ...info, bytes: loaded, timings }, wasmAfterHeader };
      return this.#loaded.info;
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) engine.free();
      throw error;
    } finally {
      signal.removeEventListener("abort", cancel);
      flag.free();
    }
  }

  async #generate(id: number, request: GenerateRequest, signal: AbortSignal): Promise<GenerateStats> {
    const { engine } = this.#model();
    const flag = engine.cancelFlag();
    flag.reset();
    const cancel = (): void => {
      flag.cancel();
    };
    signal.addEventListener("abort", cancel);
    const began = performance.now();
    let firstTokenMs: number | undefined;
    try {
      engine.start(JSON.stringify(request));
      for (;;) {
        const event = JSON.parse(await engine.next()) as CoreEvent;
        const now = performance.now();
        if ("end" in event) return statsOf(event.end, firstTokenMs ?? now - began);
        firstTokenMs ??= now - began;
        this.#channel.postMessage({ type: "piece", id, piece: event.piece });
        await this.#surroundings.yieldToEvents();
      }
    } finally {
      signal.removeEventListener("abort", cancel);
      flag.free();
    }
  }

  #memory(): MemoryUse {
    const { engine, info, wasmAfterHeader } = this.#model();
    const core = JSON.parse(engine.memory()) as CoreMemory;
    return { backend: info.backend.kind, ...core, wasm: this.#wasm?.buffer.byteLength ?? 0, wasmAfterHeader };
  }

  /**
   * A trap after a panic is a mistake in the core. Without one it is Rust's answer to an allocation that failed: it aborts
   * and says nothing that could be read.
   */
  #describeTrap(thrown: unknown): ErrorData {
    if (!(thrown instanceof WebAssembly.RuntimeError)) return toErrorData(thrown);
    const panic = this.#surroundings.core.lastPanic();
    if (panic !== undefined) return { code: "ERR_INTERNAL", message: `the core panicked: ${panic}` };
    return { code: "ERR_OUT_OF_MEMORY", message: `the tab has no memory left for the model (${thrown.message})` };
  }
}

async function createOptions(
  { backend, kv, precision, context }: LoadRequest,
  describeAdapter: () => Promise<AdapterAnswer>,
): Promise<CreateOptions> {
  const answer: AdapterAnswer =
    backend === "cpu" ? { adapter: null, missing: "not asked for" } : await describeAdapter();
  return { backend, kv, precision, context, adapter: answer.adapter, adapterMissing: answer.missing };
}

function statsOf(
  { reason, promptTokens, tokens, prefillMs, decodeMs }: Extract<CoreEvent, { end: unknown }>["end"],
  firstTokenMs: number,
): GenerateStats {
  return {
    reason,
    promptTokens,
    tokens,
    firstTokenMs,
    prefillTokensPerSecond: perSecond(promptTokens, prefillMs),
    // The first token comes out of the prefill.
    decodeTokensPerSecond: perSecond(tokens - 1, decodeMs),
  };
}

function perSecond(count: number, ms: number): number {
  return count > 0 && ms > 0 ? (count * 1000) / ms : 0;
}
