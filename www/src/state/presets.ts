// What the page's address may preset: `?prompt=…&backend=cpu#playground`.

import { signal } from "@preact/signals";

import { chosen } from "./model";
import { prompt, sampling } from "./playing";

/** The views, by their fragment of the address. */
export const VIEWS = { ask: "Ask", chat: "Chat", playground: "Playground", models: "Models", device: "Device" } as const;

/** Name of a view. */
export type View = keyof typeof VIEWS;

/** The view that is shown. */
export const view = signal<View>("ask");

/** Shows the view that the address names. */
export function followAddress(): void {
  const name = location.hash.slice(1);
  // Every object has a `constructor` and a `toString`; no view is called so.
  view.value = Object.hasOwn(VIEWS, name) ? (name as View) : "ask";
  document.title = `${VIEWS[view.value]} · Rushlight`;
}

/** Sets what the page's address names. */
export function applyPresets(): void {
  const query = new URLSearchParams(location.search);
  const given = (name: string, set: (value: string) => void): void => {
    const value = query.get(name);
    if (value !== null) set(value);
  };
  given("model", (value) => (chosen.url.value = value));
  given("embedder", (value) => {
    if (value === "") chosen.search.value = "words";
    else chosen.embedder.value = value;
  });
  given("chat", (value) => (chosen.talker.value = value));
  given("context", (value) => (chosen.context.value = value));
  given("prompt", (value) => (prompt.value = value));
  given("backend", (value) => {
    if (value === "auto" || value === "gpu" || value === "cpu") chosen.backend.value = value;
  });
  given("kv", (value) => {
    if (value === "f16" || value === "f32") chosen.kv.value = value;
  });
  const settings = { tokens: "maxTokens", temperature: "temperature", seed: "seed" } as const;
  for (const [name, setting] of Object.entries(settings)) {
    given(name, (value) => (sampling.value = { ...sampling.value, [setting]: value }));
  }
}
