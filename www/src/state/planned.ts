// What a load would take, before anything is downloaded.

import { signal } from "@preact/signals";

import { type LoadPlan, plan } from "../engine";
import { chosen } from "./model";
import { busyWith, run } from "./work";

/** The last plan. */
export const planned = signal<LoadPlan | undefined>(undefined);

/** Asks for the plan of what is chosen. */
export async function makePlan(): Promise<void> {
  await run(async (signal) => {
    planned.value = undefined;
    busyWith("loading", "Looking at the file’s first bytes…");
    planned.value = await plan(chosen.file.value ?? chosen.url.value.trim(), { signal });
    return planned.value.ok ? "This model can run here." : "This model cannot run here.";
  });
}
