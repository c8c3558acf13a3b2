// In the worker: the core's options, and a load that is only planned.

import type { AdapterAnswer } from "./adapter.js";
import type { World } from "./arrival/arrive.js";
import type { Beginning } from "./arrival/beginning.js";
import type { CorePlan, CreateOptions } from "./engine.js";
import type { Surroundings } from "./host.js";
import { openHead, toFetch } from "./head.js";
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

/** What a load would take, from as much of the beginning of each file as its header has. */
export async function planLoad(
  request: LoadRequest,
  signal: AbortSignal,
  surroundings: Surroundings,
  world?: World,
): Promise<LoadPlan> {
  const { core, lendThreads, askAdapter, yieldToEvents } = surroundings;
  const [, head, beside, answer] = await Promise.all([
    core.init(),
    openHead(request.source, signal, request.arrival, world),
    toFetch(request.prefix, signal, request.arrival, world),
    request.backend === "cpu" ? undefined : askAdapter(),
  ]);
  const missing = answer !== undefined && "missing" in answer ? answer.missing : undefined;
  const options = { ...createOptions(request, answer, head), plan: true };
  const engine = await core.createEngine(JSON.stringify(options), yieldToEvents);
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
