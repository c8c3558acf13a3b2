// What a load would take, before anything is downloaded: of exactly what is chosen, and made again when that changes.

import { computed, effect, signal } from "@preact/signals";

import { type LoadPlan, plan } from "../engine";
import { explain, type Failure } from "../words/failures";
import { keptOf } from "./cached";
import { inFull } from "./catalogue";
import { loadOptions, type ModelSource, writer } from "./model";
import { busy, busyWith, run } from "./work";

/** What a forecast is made of. */
interface Asked {
  readonly from: ModelSource;
  /** Everything that it depends on but the file itself. */
  readonly key: string;
}

/** A forecast, or why there is none. */
interface Made {
  readonly asked: Asked;
  readonly plan?: LoadPlan;
  readonly failure?: Failure;
}

const asked = computed((): Asked => {
  const from = writer();
  // What is kept need not be downloaded.
  return { from, key: JSON.stringify([from.url, loadOptions(), keptOf(from.url)?.stored ?? 0]) };
});

/** The last one, of whatever it was made. */
const made = signal<Made | undefined>(undefined);

/** The forecast for what is chosen. */
export const planned = computed(() => (made.value !== undefined && fits(made.value) ? made.value : undefined));

/** Whether one is being made again, since something was changed. */
export const planning = computed(() => made.value !== undefined && planned.value === undefined);

function fits({ asked: { from, key } }: Made): boolean {
  const now = asked.value;
  return key === now.key && from.file === now.from.file;
}

/** Bytes of the file at an address, where a forecast has said so. */
export function plannedSize(url: string): number | undefined {
  const { asked: of, plan: last } = made.value ?? {};
  if (of === undefined || last?.ok !== true || of.from.file !== undefined) return undefined;
  return inFull(of.from.url) === inFull(url) ? last.fileBytes : undefined;
}

async function make(signal: AbortSignal): Promise<Made> {
  const now = asked.value;
  const { file, url } = now.from;
  return { asked: now, plan: await plan(file ?? url, { ...loadOptions(), signal }) };
}

/** Asks for the forecast of what is chosen. */
export async function makePlan(): Promise<void> {
  await run(async (signal) => {
    made.value = undefined;
    busyWith("loading", "Looking at the file’s first bytes…");
    made.value = await make(signal);
    return made.value.plan?.ok === true ? "This model can run here." : "This model cannot run here.";
  });
}

/** Somebody who types is let finish. */
const PATIENCE_MS = 400;

/** Makes it again once something has changed that it depends on; never one that nobody asked for. */
async function again(now: Asked, signal: AbortSignal): Promise<void> {
  try {
    const fresh = await make(signal);
    if (!signal.aborted) made.value = fresh;
  } catch (error) {
    if (!signal.aborted) made.value = { asked: now, failure: explain(error) };
  }
}

effect(() => {
  // The loads of others would be measured too.
  if (!planning.value || busy.value) return undefined;
  const now = asked.value;
  const controller = new AbortController();
  const timer = setTimeout(() => void again(now, controller.signal), PATIENCE_MS);
  return () => {
    clearTimeout(timer);
    controller.abort();
  };
});
