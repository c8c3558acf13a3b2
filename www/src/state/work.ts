// What the page is busy with: one thing at a time, which Stop can end, and what comes after it.

import { computed, signal } from "@preact/signals";

import { RushlightError } from "../engine";
import { explain, type Failure } from "../words/failures";
import type { Progress } from "../words/progress";

/** What the page is doing; also an attribute of the body, for styles and tests. */
export type State = "idle" | "loading" | "ready" | "generating";

/** What the page is doing. */
export const state = signal<State>("idle");

/** The same in words; a screen reader hears each change, so that figures that run belong into the progress. */
export const status = signal("");

/** Whether it is busy. */
export const busy = computed(() => state.value === "loading" || state.value === "generating");

/** How far it is. */
export const progress = signal<Progress | undefined>(undefined);

/** What a failure is about: only what is about the same wipes it away. */
export type Matter = "work" | "files" | "models" | "store";

/** What went wrong and was not wiped away yet, in its order. */
export const failures = signal<readonly (Failure & { readonly matter: Matter })[]>([]);

/** What begins when the present work has ended, in words. */
export const waiting = signal<string | undefined>(undefined);

/** Work that can be ended. It gives the words for how it ended. */
export type Work = (signal: AbortSignal) => Promise<string>;

/** Whether a model is there, which the state goes back to. Set by the room that holds it. */
let isLoaded: () => boolean = () => false;
/** Called where what was thrown leaves no model behind. */
let onBroken: () => void = () => undefined;

/** Tells how to find out about the model. */
export function watchModel(loaded: () => boolean, broken: () => void): void {
  isLoaded = loaded;
  onBroken = broken;
}

/** Ends what is going on. */
let controller: AbortController | undefined;

/** What begins then. */
let next: Work | undefined;

/** Codes after which a model answers no more. */
const BREAKING = ["ERR_DEVICE_LOST", "ERR_DISPOSED", "ERR_INTERNAL", "ERR_OUT_OF_MEMORY"];

/** Shows what is going on. */
export function busyWith(now: State, text: string): void {
  state.value = now;
  status.value = text;
  progress.value = undefined;
}

/** Runs one thing that Stop can end, and shows how it ends. */
export async function run(work: Work): Promise<void> {
  if (controller !== undefined) return;
  controller = new AbortController();
  settle("work");
  settle("store");
  let outcome: string;
  try {
    outcome = await work(controller.signal);
  } catch (error) {
    const code = error instanceof RushlightError ? error.code : "";
    const loaded = isLoaded();
    if (BREAKING.includes(code)) onBroken();
    if (code !== "ERR_ABORTED") show(explain(error, loaded), "work");
    // A failure speaks for itself.
    outcome = code === "ERR_ABORTED" ? "Stopped." : "";
  }
  controller = undefined;
  busyWith(isLoaded() ? "ready" : "idle", outcome);
  const then = next;
  stopWaiting();
  if (then !== undefined) await run(then);
}

/** Runs a thing as soon as what is going on has ended; of several that wait, the last. `words` say what it will be. */
export async function runNext(words: string, work: Work): Promise<void> {
  if (controller === undefined) {
    await run(work);
    return;
  }
  next = work;
  waiting.value = words;
}

/** Lets go of what waits. */
export function stopWaiting(): void {
  next = undefined;
  waiting.value = undefined;
}

/** Ends what is going on. */
export function stop(): void {
  controller?.abort();
}

/** Shows what went wrong beside the work. */
export function fail(error: unknown, matter: Matter): void {
  show(explain(error), matter);
}

function show(failure: Failure, matter: Matter): void {
  const same = failures.value.some(({ code, detail }) => code === failure.code && detail === failure.detail);
  if (!same) failures.value = [...failures.value, { ...failure, matter }];
}

/** Wipes away what went wrong with something, or with everything. */
export function settle(matter?: Matter): void {
  const left = matter === undefined ? [] : failures.value.filter((each) => each.matter !== matter);
  if (left.length < failures.value.length) failures.value = left;
}
