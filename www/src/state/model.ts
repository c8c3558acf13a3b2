// The models: which are chosen, which are loaded.

import { signal } from "@preact/signals";

import {
  type BackendChoice,
  type BuildChoice,
  type KvFormat,
  loadModel,
  type LoadOptions,
  type LoadProgress,
  type MemoryUse,
  type Model,
  type ModelFiles,
  type Precision,
} from "../engine";
import { bytes } from "../words/format";
import { follow } from "../words/progress";
import { GEMMA, MINILM, SMOLLM2 } from "./catalogue";
import { embedderFrom, type EmbedderFiles } from "./embedder_files";
import { busyWith, fail, progress, run, runNext, settle, stopWaiting, watchModel, type Work } from "./work";

/** What the controls of the models say; an address of the page may preset each. */
export const chosen = {
  url: signal(GEMMA.url),
  file: signal<File | undefined>(undefined),
  backend: signal<BackendChoice>("auto"),
  kv: signal<KvFormat>("f16"),
  /** Tokens; empty is what the package thinks right. */
  context: signal(""),
  /** Whether passages are found by what they mean, which takes a model, or by the words they share with the question. */
  search: signal<"meaning" | "words">("meaning"),
  /** Address of the model that finds them by meaning: a GGUF file, or a folder, which ends with a slash. */
  embedder: signal(MINILM.url),
  /** The same from this machine, in place of the address. */
  embedderFiles: signal<EmbedderFiles | undefined>(undefined),
  /** Address of the model for conversations. */
  talker: signal(SMOLLM2.url),
  /** Whether conversations are held with it, or with the model that writes everything else. */
  talkWith: signal<"talker" | "writer">("talker"),
};

/** Where a model comes from: a file of this machine, or an address. */
export interface ModelSource {
  readonly file: File | undefined;
  readonly url: string;
}

/** The model that writes. */
export function writer(): ModelSource {
  return { file: chosen.file.value, url: chosen.url.value.trim() };
}

/** The model for conversations. */
export function talker(): ModelSource {
  return chosen.talkWith.value === "writer" ? writer() : { file: undefined, url: chosen.talker.value.trim() };
}

/** A model that is loaded, and what it was loaded from. */
interface Loaded {
  readonly model: Model;
  readonly key: string;
  /** Of this machine; `undefined` from an address. */
  readonly local: File | EmbedderFiles | undefined;
  readonly memory: MemoryUse;
}

/** The model that writes; one at a time, whatever it writes. */
export const loaded = signal<Loaded | undefined>(undefined);

/** The model that finds passages. */
export const loadedEmbedder = signal<Loaded | undefined>(undefined);

/** What was done since the page was opened. */
export const counts = signal({ answers: 0, promptTokens: 0, tokens: 0 });

/** Lets go of the model. */
export function forget(): void {
  loaded.value?.model.dispose();
  loaded.value = undefined;
}

function forgetEmbedder(): void {
  loadedEmbedder.value?.model.dispose();
  loadedEmbedder.value = undefined;
}

watchModel(
  () => loaded.value !== undefined,
  () => {
    forget();
    forgetEmbedder();
  },
);

/** The last part of an address that says something. */
export function lastPart(url: string): string {
  return url.split("/").filter(Boolean).at(-1) ?? "";
}

/** The settings beside the model. */
export function loadOptions(): LoadOptions {
  const context = Number(chosen.context.value);
  return {
    backend: chosen.backend.value,
    kv: chosen.kv.value,
    ...(chosen.context.value === "" ? {} : { context }),
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

/** Whether a model is the one that is loaded, with the settings beside it. */
export function isLoaded(from: ModelSource): boolean {
  return loaded.value?.key === keyOf(from) && loaded.value.local === from.file;
}

function keyOf({ file, url }: ModelSource): string {
  return JSON.stringify([file === undefined ? url : "", loadOptions()]);
}

/** The model that the controls describe, or another one with their settings, loaded if it is not there yet. */
export async function ready(signal: AbortSignal, from: ModelSource = writer()): Promise<Model> {
  if (loaded.value !== undefined && isLoaded(from)) return loaded.value.model;
  const { file, url } = from;
  const wanted = loadOptions();
  const key = keyOf(from);
  forget();
  const model = await load(file ?? url, "Loading the model…", wanted, signal);
  loaded.value = { model, key, local: file, memory: await model.memory() };
  return model;
}

/** The model that finds passages by meaning, where that is chosen. */
export async function readyEmbedder(signal: AbortSignal): Promise<Model | undefined> {
  const wanted = chosen.search.value === "meaning";
  const local = wanted ? chosen.embedderFiles.value : undefined;
  const key = wanted ? (local?.name ?? chosen.embedder.value.trim()) : "";
  const current = loadedEmbedder.value;
  if (current?.key === key && current.local === local) return current.model;
  forgetEmbedder();
  if (key === "") return undefined;
  const model = await load(local?.from ?? key, "Loading the model that finds passages…", { backend: chosen.backend.value }, signal);
  loadedEmbedder.value = { model, key, local, memory: await model.memory() };
  return model;
}

/** Takes the model that finds passages from files of this machine; says so where one is missing. */
export function chooseEmbedder(files: readonly File[]): void {
  settle("models");
  try {
    chosen.embedderFiles.value = embedderFrom(files);
    chosen.search.value = "meaning";
  } catch (error) {
    fail(error, "models");
  }
}

async function load(from: File | ModelFiles | string, words: string, wanted: LoadOptions, signal: AbortSignal): Promise<Model> {
  busyWith("loading", words);
  const measure = follow("bytes");
  const onProgress = (now: LoadProgress): void => {
    const here = now.cached > 0 ? `${bytes(now.cached)} from this machine` : undefined;
    progress.value = measure(now.loaded, now.total, now.waiting === true ? "another tab is fetching it" : here);
  };
  progress.value = measure(0, undefined);
  return await loadModel(from, { ...wanted, signal, onProgress });
}

const loading: Work = async (signal) => {
  const { info } = await ready(signal);
  // Whoever brings a model that can hold a conversation wants to talk with that one.
  if (chosen.file.value !== undefined && info.chat) chosen.talkWith.value = "writer";
  return "The model is ready.";
};

/** Loads what the controls describe, without asking it anything. */
export async function loadChosen(): Promise<void> {
  await run(loading);
}

/** Takes a model file of this machine: loads it now, or once what is going on has ended. */
export async function takeFile(file: File): Promise<void> {
  chosen.file.value = file;
  await runNext(`${file.name} is loaded next.`, loading);
}

/** Goes back to the address. */
export function forgetFile(): void {
  chosen.file.value = undefined;
  stopWaiting();
}

/** Looks again where the model's bytes are. */
export async function measureMemory(): Promise<void> {
  const current = loaded.value;
  if (current === undefined) return;
  const memory = await current.model.memory();
  if (loaded.value?.model === current.model) loaded.value = { ...current, memory };
}
