// In the worker: the core's options, and a load that is only planned.

import type { AdapterAnswer } from "./adapter.js";
import type { World } from "./arrival/arrive.js";
import type { Beginning } from "./arrival/beginning.js";
import type { CorePlan, CreateOptions, EngineApi } from "./engine.js";
import { messageOf, RushlightError } from "./errors.js";
import type { Surroundings } from "./host.js";
import { openHead, toFetch } from "./head.js";
import { LATE, within } from "./late.js";
import type { LoadPlan } from "./plan.js";
import type { LoadRequest } from "./protocol.js";
import type { Incoming } from "./source.js";

/** What the core needs to know to open a backend. */
export function createOptions(
  request: LoadRequest,
  answer: AdapterAnswer | undefined,
  { files, fileBytes }: Pick<Incoming, "files" | "fileBytes">,
): CreateOptions {
  return {
    backend: answer !== undefined && "missing" in answer ? "cpu" : request.backend,
    // Small models are not worth the last bit of speed.
    precision: request.precision ?? (files === null ? null : "exact"),
    kv: request.kv,
    context: request.context,
    threads: request.threads,
    adapter: answer !== undefined && "adapter" in answer ? answer.adapter : null,
    fileBytes: fileBytes ?? null,
    files,
  };
}

/** How long the GPU's device may take to open: a driver that hangs would keep `auto` from the CPU for ever. */
const OPENING_MS = 20_000;

/** An engine, and why there is no GPU where one could have been had. */
export interface Opened {
  readonly engine: EngineApi;
  readonly missing: string | undefined;
}

/** What is thrown out of the core, from where no promise hears of it, until the watch ends. */
export interface Watch {
  readonly thrown: Promise<unknown>;
  readonly end: () => void;
}

/** Opens the engine. Whatever goes wrong with a GPU, `auto` takes the CPU then, and says why; `gpu` fails with `ERR_NO_BACKEND`. */
export async function openEngine(
  request: LoadRequest,
  answer: AdapterAnswer | undefined,
  options: CreateOptions,
  { core, yieldToEvents, openingMs = OPENING_MS }: Pick<Surroundings, "core" | "yieldToEvents" | "openingMs">,
  { thrown, end }: Watch,
): Promise<Opened> {
  const missing = answer !== undefined && "missing" in answer ? answer.missing : undefined;
  const open = (asked: CreateOptions): Promise<EngineApi> => core.createEngine(JSON.stringify(asked), yieldToEvents);
  let why: string;
  try {
    if (missing !== undefined && request.backend === "gpu" && options.plan !== true) throw new RushlightError("ERR_NO_BACKEND", missing);
    const opening = open(options);
    if (options.backend === "cpu") return { engine: await opening, missing };
    const outcome = await openedGpu(opening, thrown, openingMs);
    if (typeof outcome !== "string") return { engine: outcome, missing };
    why = outcome;
  } finally {
    end();
  }
  if (request.backend === "gpu") throw new RushlightError("ERR_NO_BACKEND", why);
  return { engine: await open({ ...options, backend: "cpu", adapter: null }), missing: why };
}

/** The engine on its GPU, or why there is none. */
async function openedGpu(opening: Promise<EngineApi>, thrown: Promise<unknown>, patienceMs: number): Promise<EngineApi | string> {
  const said = (error: unknown): string => `the GPU could not be opened: ${messageOf(error)}`;
  const first = await within(patienceMs, Promise.race([opening, thrown.then(said)])).catch((error: unknown) => {
    // What the core says itself it has weighed already; a trap leaves nothing that could go on.
    if (error instanceof WebAssembly.RuntimeError || typeof (error as { readonly code?: unknown } | null)?.code === "string") throw error;
    return said(error);
  });
  if (typeof first === "object") return first;
  // One that comes after all is not wanted any more.
  opening.then(
    (late) => {
      late.free();
    },
    () => undefined,
  );
  return first === LATE ? `the GPU did not open within ${patienceMs / 1000} s` : first;
}

/** What a load would take, from as much of the beginning of each file as its header has. */
export async function planLoad(
  request: LoadRequest,
  signal: AbortSignal,
  surroundings: Surroundings,
  world?: World,
  watch: Watch = { thrown: new Promise(() => undefined), end: () => undefined },
): Promise<LoadPlan> {
  const { core, lendThreads, askAdapter } = surroundings;
  const [, head, beside, answer] = await Promise.all([
    core.init(),
    openHead(request.source, signal, request.arrival, world),
    toFetch(request.prefix, signal, request.arrival, world),
    request.backend === "cpu" ? undefined : askAdapter(),
  ]);
  const options = { ...createOptions(request, answer, head), plan: true };
  const { engine, missing } = await openEngine(request, answer, options, surroundings, watch);
  // The worker ends with the plan, and with it everything that the core holds.
  const joined = lendThreads(core.poolVacancies(), request.threadsFallback);
  let { stored } = head;
  const take = async ({ chunks }: Beginning): Promise<void> => {
    for await (const chunk of chunks) {
      await engine.push(chunk);
      if (engine.hasHeader()) break;
    }
  };
  await take(head);
  for (const openPart of head.furtherParts) {
    const part = await openPart();
    await engine.nextPart(part.fileBytes);
    await take(part);
    stored += part.stored;
  }
  await joined;
  const plan = JSON.parse(await engine.plan()) as CorePlan;
  const backend = missing === undefined ? plan.backend : { ...plan.backend, reason: missing };
  const told: LoadPlan = {
    ...plan,
    ok: plan.code === null,
    reason: plan.code === null ? backend.reason : plan.reason,
    backend,
    fetchBytes: Math.max(0, plan.fileBytes - stored) + beside,
  };
  if (missing === undefined || request.backend !== "gpu") return told;
  return { ...told, ok: false, code: "ERR_NO_BACKEND", reason: missing, tokensPerSecond: null };
}
