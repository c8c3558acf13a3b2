// The worker's side: takes requests one after the other to the core, and says what comes of them.

import type { AdapterAnswer } from "./adapter.js";
import { AskHost } from "./ask-host.js";
import type { Answer, AskRequest, AskStage } from "./ask.js";
import { readConversation, writeConversation } from "./conversations.js";
import { createOptions, openEngine, planLoad, type Watch } from "./create.js";
import type { CoreEnd, CoreEvent, CoreInfo, CoreMemory, CoreModule, EngineApi } from "./engine.js";
import { abortError, type ErrorData, RushlightError, toErrorData } from "./errors.js";
import { IndexHost } from "./index-host.js";
import { type Measure, now, ofAnswer } from "./measures.js";
import { Progress } from "./progress.js";
import type { Channel, GenerateRequest, LoadRequest, Reply, Request, SavedSource } from "./protocol.js";
import { collect, type Incoming, open, openSmall } from "./source.js";
import { type Together, together } from "./together.js";
import type { GenerateStats, MemoryUse, ModelInfo } from "./types.js";

/** A loaded model and what the worker remembers of its load. */
interface Loaded {
  readonly engine: EngineApi;
  readonly documents: AskHost;
  readonly indexes: IndexHost;
  readonly info: ModelInfo;
  readonly wasmAfterHeader: number;
  /** How it was asked for: other files of it arrive in the same way. */
  readonly request: LoadRequest;
}

/** Where the host's world is: the tests bring their own. */
export interface Surroundings {
  readonly core: CoreModule;
  /** Lends so many threads to the core's pool; resolves when all have joined it or can't. */
  readonly lendThreads: (count: number, fallback: LoadRequest["threadsFallback"]) => Promise<void>;
  readonly askAdapter: () => Promise<AdapterAnswer>;
  /** The root of the origin's private files; `undefined` where the browser has none for this page. */
  readonly openStore: () => Promise<FileSystemDirectoryHandle | undefined>;
  /** Lets the events that wait, a cancel among them, be heard. */
  readonly yieldToEvents: () => Promise<void>;
  /** How long a GPU may take to open, in milliseconds; a visitor's patience where left out. */
  readonly openingMs?: number;
}

/** Answers the requests of one page for one model. */
export class Host {
  readonly #channel: Channel<Request, Reply>;
  readonly #surroundings: Surroundings;
  /** Requests that wait for their turn. */
  readonly #waiting = new Set<number>();
  /** The end of the queue: async methods hold the engine, so that requests go one at a time. */
  #queue: Promise<void> = Promise.resolve();
  #running: { readonly id: number; readonly controller: AbortController; readonly yields: boolean } | undefined;
  #wasm: WebAssembly.Memory | undefined;
  #loaded: Loaded | undefined;
  /** Hears what is thrown out of the core, while somebody watches. */
  #heard: ((thrown: unknown) => void) | undefined;

  constructor(channel: Channel<Request, Reply>, surroundings: Surroundings) {
    this.#channel = channel;
    this.#surroundings = surroundings;
    channel.onmessage = (event) => {
      this.#receive(event.data);
    };
  }

  /** Says that the worker can do nothing any more: the core trapped. */
  fatal(thrown: unknown): void {
    // A GPU that could not be opened is no end yet.
    if (this.#heard !== undefined && !(thrown instanceof WebAssembly.RuntimeError)) {
      this.#heard(thrown);
      return;
    }
    this.#channel.postMessage({ type: "fatal", error: this.#describeTrap(thrown) });
  }

  #receive(request: Request): void {
    const { id } = request;
    if (request.type === "cancel") {
      if (this.#running?.id === id) this.#running.controller.abort();
      // It does not have to wait for its turn to hear that it will have none.
      if (this.#waiting.delete(id)) this.#channel.postMessage({ type: "error", id, error: toErrorData(abortError()) });
      return;
    }
    this.#waiting.add(id);
    if (this.#running?.yields === true) this.#running.controller.abort();
    this.#queue = this.#queue.then(() => this.#take(request));
  }

  async #take(request: Exclude<Request, { type: "cancel" }>): Promise<void> {
    const { id } = request;
    if (!this.#waiting.delete(id)) return;
    const controller = new AbortController();
    const yields = request.type === "index-fill";
    this.#running = { id, controller, yields };
    if (yields && this.#waiting.size > 0) controller.abort();
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
      case "plan":
        return await planLoad(request.request, signal, this.#surroundings, undefined, this.#watch());
      case "generate":
        return await this.#generate(request.id, request.request, signal);
      case "embed":
        return await this.#embed(request.texts, signal);
      case "ask-open":
        return this.#model().documents.open(request.documents, request.question, request.embeds);
      case "ask-sentences":
        return this.#model().documents.sentences(request.documents, request.question, request.document);
      case "index-open":
        return await this.#model().indexes.open(request.documents, request.keep);
      case "index-give":
        this.#model().indexes.give(request.document, request.sentences);
        return undefined;
      case "index-compare":
        return await this.#withStages(request.id, signal, (indexes, onStage) => indexes.compare(request.question, request.first, signal, onStage));
      case "index-fill":
        return await this.#withStages(request.id, signal, (indexes, onStage) => indexes.fill(request.keep, signal, onStage));
      case "ask":
        return await this.#ask(request.id, request.ask, signal);
      case "save":
        await this.#save(request.name);
        return undefined;
      case "restore":
        return await this.#restore(request.from, signal);
      case "memory":
        return this.#memory();
      case "tokenize":
        return Array.from(this.#model().engine.tokenize(request.text));
      case "detokenize":
        return this.#model().engine.detokenize(Uint32Array.from(request.ids));
    }
  }

  /** What is thrown out of the core from now on, until the watch ends. */
  #watch(): Watch {
    let end = (): void => undefined;
    const thrown = new Promise<unknown>((resolve) => {
      this.#heard = resolve;
      end = () => {
        this.#heard = undefined;
      };
    });
    return { thrown, end };
  }

  #model(): Loaded {
    if (this.#loaded === undefined) throw new RushlightError("ERR_INTERNAL", "no model is loaded");
    return this.#loaded;
  }

  async #load(id: number, request: LoadRequest, signal: AbortSignal): Promise<ModelInfo> {
    const [start, began] = [now(), performance.now()];
    this.#loaded = await together(signal, (all) => this.#loadAll(id, request, began, all));
    const { info } = this.#loaded;
    const { header, tokenizer } = info.timings;
    this.#measure({ name: "rushlight:load", start, end: now(), detail: { bytes: info.bytes, backend: info.backend.kind, header, tokenizer } });
    return info;
  }

  async #loadAll(id: number, request: LoadRequest, began: number, { signal, beside }: Together): Promise<Loaded> {
    const { core, lendThreads, askAdapter } = this.#surroundings;
    const progress = new Progress((now) => {
      this.#channel.postMessage({ type: "progress", id, progress: now });
    });
    const onWaiting = progress.waiting.bind(progress);
    // The core compiles and the adapter is asked for while the server answers.
    const [{ memory }, incoming, answer] = await Promise.all([
      core.init(),
      open(request.source, signal, request.arrival, undefined, request.prefix, onWaiting),
      request.backend === "cpu" ? undefined : askAdapter(),
    ]);
    this.#wasm = memory;
    progress.begin(incoming);
    // The weights are on their way: what belongs to them comes meanwhile.
    const prefix = request.prefix === null ? undefined : beside(progress.readPrefix(request.prefix, request, signal));
    const options = createOptions(request, answer, incoming);
    const { engine, missing } = await openEngine(request, answer, options, this.#surroundings, this.#watch());
    const found = { isModel: false };
    try {
      return await cancellable(engine, signal, async () => {
        // Now that it is known what runs the model: none for a GPU.
        const joined = lendThreads(core.poolVacancies(), request.threadsFallback);
        const wasmAfterHeader = await this.#takeIn(engine, incoming, progress);
        await joined;
        const info = JSON.parse(await engine.finish()) as CoreInfo;
        found.isModel = true;
        if (prefix !== undefined) {
          const bytes = await prefix;
          progress.post();
          engine.importConversation(bytes);
        }
        const backend = missing === undefined ? info.backend : { ...info.backend, reason: missing };
        const timings = { ...info.timings, total: performance.now() - began };
        const reason = incoming.unkept();
        const kept = { cached: reason === undefined, cacheReason: reason ?? null };
        const whole = { ...info, backend, bytes: progress.loaded, ...kept, timings };
        const indexes = new IndexHost(engine, this.#surroundings.openStore, this.#surroundings.yieldToEvents);
        return { engine, documents: new AskHost(engine), indexes, info: whole, wasmAfterHeader, request };
      });
    } catch (error) {
      // After a trap its memory is in no state to be freed; the worker ends anyway.
      if (!(error instanceof WebAssembly.RuntimeError)) engine.free();
      // What was cut on its way, or is no model, must not be there for the next load.
      if (!found.isModel && toErrorData(error).code === "ERR_BAD_FILE") await incoming.discard();
      throw error;
    }
  }

  /** Hands every chunk of the weights to the core; the size of the WebAssembly memory when it had the header. */
  async #takeIn(engine: EngineApi, incoming: Incoming, progress: Progress): Promise<number> {
    let wasmAfterHeader = 0;
    const take = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const chunk of chunks) {
        await engine.push(chunk);
        if (wasmAfterHeader === 0 && engine.hasHeader()) wasmAfterHeader = this.#wasmBytes();
        progress.add(chunk.length);
      }
    };
    await take(incoming.chunks);
    for (const openPart of incoming.furtherParts) {
      const part = await openPart();
      await engine.nextPart(part.fileBytes);
      await take(part.chunks);
    }
    progress.end();
    return wasmAfterHeader;
  }

  async #generate(
    id: number,
    request: GenerateRequest,
    signal: AbortSignal,
    onText: (text: string) => void = () => undefined,
  ): Promise<GenerateStats> {
    const { engine } = this.#model();
    return await cancellable(engine, signal, async () => {
      const start = now();
      let first: number | undefined;
      engine.start(generateJson(request));
      for (;;) {
        const event = JSON.parse(await engine.next()) as CoreEvent;
        onText("end" in event ? event.end.text : event.piece.text);
        if ("end" in event) {
          for (const measure of ofAnswer(start, first, event.end)) this.#measure(measure);
          return this.#end(id, event.end, signal);
        }
        first ??= now();
        this.#channel.postMessage({ type: "piece", id, piece: event.piece });
        // A token may take less than the time after which the core itself lets events be heard.
        await this.#surroundings.yieldToEvents();
      }
    });
  }

  async #ask(id: number, request: AskRequest, signal: AbortSignal): Promise<Answer> {
    const { engine, documents } = this.#model();
    return await cancellable(engine, signal, () =>
      documents.ask(
        request,
        signal,
        (stage) => {
          this.#channel.postMessage({ type: "stage", id, stage });
        },
        async (free) => {
          let said = "";
          await this.#generate(id, free, signal, (text) => (said += text));
          return said;
        },
      ),
    );
  }

  async #withStages<T>(
    id: number,
    signal: AbortSignal,
    work: (indexes: IndexHost, onStage: (stage: AskStage) => void) => Promise<T>,
  ): Promise<T> {
    const { engine, indexes } = this.#model();
    const onStage = (stage: AskStage): void => {
      this.#channel.postMessage({ type: "stage", id, stage });
    };
    return await cancellable(engine, signal, () => work(indexes, onStage));
  }

  async #embed(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    const { engine, info } = this.#model();
    return await cancellable(engine, signal, async () => {
      const start = now();
      const all = await engine.embed(JSON.stringify(texts));
      this.#measure({ name: "rushlight:embed", start, end: now(), detail: { texts: texts.length } });
      const dimensions = info.dimensions ?? 0;
      return texts.map((_, index) => all.slice(index * dimensions, (index + 1) * dimensions));
    });
  }

  async #save(name: string): Promise<void> {
    const root = await this.#surroundings.openStore();
    if (root === undefined) throw new RushlightError("ERR_STORAGE", "this browser keeps no files for this page (a private window, or no https)");
    await writeConversation(root, name, await this.#model().engine.exportConversation());
  }

  async #restore(from: SavedSource, signal: AbortSignal): Promise<boolean> {
    const { engine, request } = this.#model();
    const read = async (name: string): Promise<Uint8Array | undefined> => {
      const root = await this.#surroundings.openStore();
      return root === undefined ? undefined : await readConversation(root, name);
    };
    const bytes = "name" in from ? await read(from.name) : await collect(await openSmall(from, request, signal));
    if (bytes === undefined) return false;
    engine.importConversation(bytes);
    return true;
  }

  #end(id: number, { text, reason, ...rest }: CoreEnd, signal: AbortSignal): GenerateStats {
    if (reason === "cancelled") throw abortError(signal);
    if (text !== "") this.#channel.postMessage({ type: "piece", id, piece: { id: null, text, logprob: null, top: [] } });
    return { reason, ...rest };
  }

  /** Tells the page of a time, where it wants to hear of it. */
  #measure(measure: Measure): void {
    if (this.#loaded?.request.trace === true) this.#channel.postMessage({ type: "measure", measure });
  }

  #wasmBytes(): number {
    return this.#wasm?.buffer.byteLength ?? 0;
  }

  #memory(): MemoryUse {
    const { engine, info, wasmAfterHeader } = this.#model();
    const core = JSON.parse(engine.memory()) as CoreMemory;
    return { backend: info.backend.kind, ...core, wasm: this.#wasmBytes(), wasmAfterHeader };
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

/** A request as the core reads it. JSON has no `bigint`, but its numbers may be as long as they like. */
function generateJson({ seed, ...request }: GenerateRequest): string {
  const json = JSON.stringify(request);
  return seed === undefined ? json : `${json.slice(0, -1)},"seed":${seed}}`;
}

/** Does work that the signal ends through the engine's flag. */
async function cancellable<T>(engine: EngineApi, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw abortError(signal);
  const flag = engine.cancelFlag();
  const cancel = (): void => {
    flag.cancel();
  };
  signal.addEventListener("abort", cancel);
  try {
    return await work();
  } finally {
    signal.removeEventListener("abort", cancel);
    flag.free();
  }
}
