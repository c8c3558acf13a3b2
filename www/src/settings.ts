// What the controls say, as the options of the package.

import type { BackendChoice, BuildChoice, GenerateOptions, KvFormat, LoadOptions, Precision } from "rushlight";

import { controls } from "./view";

/** Controls that an address of the page may preset: `?prompt=…&backend=cpu`. */
const PRESETS = {
  model: controls.url,
  backend: controls.backend,
  kv: controls.kv,
  context: controls.context,
  prompt: controls.prompt,
  tokens: controls.maxTokens,
  temperature: controls.temperature,
  seed: controls.seed,
};

/** Sets the controls that the page's address names. */
export function applyPresets(): void {
  const query = new URLSearchParams(location.search);
  for (const [name, control] of Object.entries(PRESETS)) {
    const value = query.get(name);
    if (value !== null) control.value = value;
  }
}

/** The number in a control; nothing where it is empty. */
function number(input: HTMLInputElement): number | undefined {
  return Number.isNaN(input.valueAsNumber) ? undefined : input.valueAsNumber;
}

/** How to load. */
export function loadOptions(): LoadOptions {
  const context = number(controls.context);
  return {
    backend: controls.backend.value as BackendChoice,
    kv: controls.kv.value as KvFormat,
    ...(context === undefined ? {} : { context }),
    ...onlyInAddress(),
  };
}

/** Options for tests and for the curious, without controls: `?build=compat&threads=1&precision=exact`. */
function onlyInAddress(): LoadOptions {
  const query = new URLSearchParams(location.search);
  const [build, threads, precision] = ["build", "threads", "precision"].map((name) => query.get(name) ?? undefined);
  return {
    ...(build === undefined ? {} : { build: build as BuildChoice }),
    ...(threads === undefined ? {} : { threads: Number(threads) }),
    ...(precision === undefined ? {} : { precision: precision as Precision }),
  };
}

/** How to answer. */
export function generateOptions(): GenerateOptions {
  const options: GenerateOptions = {};
  const fields = [
    ["maxTokens", controls.maxTokens],
    ["temperature", controls.temperature],
    ["topK", controls.topK],
    ["topP", controls.topP],
    ["seed", controls.seed],
  ] as const;
  for (const [name, control] of fields) {
    const value = number(control);
    if (value !== undefined) options[name] = value;
  }
  return options;
}
