// What the page is busy with: one thing at a time, which Stop can end.

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

/** What went wrong last. */
export const failure = signal<Failure | undefined>(undefined);

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

/** Codes after which a model answers no more. */
const BREAKING = ["ERR_DEVICE_LOST", "ERR_DISPOSED", "ERR_INTERNAL", "ERR_OUT_OF_MEMORY"];

/** Shows what is going on. */
export function busyWith(now: State, text: string): void {
  state.value = now;
  status.value = text;
  progress.value = undefined;
}

/** Runs one thing that Stop can end, and shows how it ends. The work gives the words for it. */
export async function run(work: (signal: AbortSignal) => Promise<string>): Promise<void> {
  if (controller !== undefined) return;
  controller = new AbortController();
  failure.value = undefined;
  let outcome: string;
  try {
    outcome = await work(controller.signal);
  } catch (error) {
    const code = error instanceof RushlightError ? error.code : "";
    const loaded = isLoaded();
    if (BREAKING.includes(code)) onBroken();
    if (code !== "ERR_ABORTED") failure.value = explain(error, loaded);
    // A failure speaks for itself.
    outcome = code === "ERR_ABORTED" ? "Stopped." : "";
  }
  controller = undefined;
  busyWith(isLoaded() ? "ready" : "idle", outcome);
}

/** Ends what is going on. */
export function stop(): void {
  controller?.abort();
}

/** Shows what went wrong beside the work. */
export function fail(error: unknown): void {
  failure.value = explain(error);
}
