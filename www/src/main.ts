// The page: loads the chosen model when it is first needed, and shows what it writes.

import { type GenerateStats, loadModel, type LoadProgress, type MemoryUse, type Model, RushlightError } from "rushlight";

import { explain } from "./failures";
import { bytes, count, duration, speed } from "./format";
import { Rate } from "./rate";
import { applyPresets, generateOptions, loadOptions } from "./settings";
import {
  appendPiece,
  beginAnswer,
  controls,
  type Fact,
  onDroppedFile,
  showFailure,
  showModel,
  showProgress,
  showState,
  showStats,
} from "./view";

/** Why an answer ended, in words. */
const ENDS: Readonly<Record<GenerateStats["reason"], string>> = {
  stop: "the model came to an end",
  stop_text: "a stop text came up",
  length: "as many as asked for",
  context: "the context is full",
};

/** The model that is loaded, and the source and options it was loaded with. */
let current: { readonly model: Model; readonly key: string; readonly file: File | undefined } | undefined;
let droppedFile: File | undefined;
/** Ends what is going on. */
let controller: AbortController | undefined;

function chosenFile(): File | undefined {
  return droppedFile ?? controls.file.files?.[0];
}

function forget(): void {
  current?.model.dispose();
  current = undefined;
  showModel([]);
}

/** The model that the controls describe, loaded if it is not there yet. */
async function ready(signal: AbortSignal): Promise<Model> {
  const file = chosenFile();
  const options = loadOptions();
  const key = JSON.stringify([file === undefined ? controls.url.value : "", options]);
  if (current?.key === key && current.file === file) return current.model;
  forget();
  showState("loading", "Loading the model…");
  const rate = new Rate();
  const onProgress = (progress: LoadProgress): void => {
    showProgress(progress, rate.update(progress.loaded));
  };
  onProgress({ loaded: 0, cached: 0, total: undefined });
  const model = await loadModel(file ?? controls.url.value, { ...options, signal, onProgress });
  current = { model, key, file };
  showModel(modelFacts(model, await model.memory()));
  return model;
}

function modelFacts({ info }: Model, memory: MemoryUse): Fact[] {
  const { backend, name, timings } = info;
  const where = backend.kind === "gpu" ? "on the GPU" : "in the tab";
  const header = timings.header + timings.tokenizer;
  const held = memory.weights + memory.kv + memory.scratch;
  return [
    { key: "name", label: "Model", text: `${name} (${info.architecture})`, value: name },
    { key: "backend", label: "Runs on", text: `${backend.kind.toUpperCase()}: ${backend.device}`, value: backend.kind },
    { key: "reason", label: "Because", text: backend.reason, value: backend.reason },
    { key: "build", label: "Build", text: backend.build, value: backend.build },
    { key: "threads", label: "Threads", text: count(backend.threads), value: backend.threads },
    { key: "memory", label: "Memory", text: `${bytes(held)} ${where}`, value: held },
    { key: "wasm", label: "WebAssembly heap", text: bytes(memory.wasm), value: memory.wasm },
    { key: "tokenizer", label: "… of which tokenizer", text: bytes(memory.tokenizer), value: memory.tokenizer },
    { key: "context", label: "Context", text: `${count(info.context)} tokens`, value: info.context },
    { key: "load-ms", label: "Loaded in", text: duration(timings.total), value: timings.total },
    { key: "header-ms", label: "… of which header, tokenizer", text: duration(header), value: header },
  ];
}

function answerFacts(stats: GenerateStats): Fact[] {
  const { promptTokens, tokens, firstTokenMs, prefillTokensPerSecond, decodeTokensPerSecond } = stats;
  return [
    { key: "decode", label: "Writing", text: speed(decodeTokensPerSecond), value: decodeTokensPerSecond },
    { key: "prefill", label: "Reading the prompt", text: speed(prefillTokensPerSecond), value: prefillTokensPerSecond },
    { key: "first-token-ms", label: "First token after", text: duration(firstTokenMs), value: firstTokenMs },
    { key: "tokens", label: "New tokens", text: count(tokens), value: tokens },
    { key: "prompt-tokens", label: "Prompt tokens", text: count(promptTokens), value: promptTokens },
  ];
}

/** Runs one thing that Stop can end, and shows how it ends. */
async function run(work: (signal: AbortSignal) => Promise<string>): Promise<void> {
  if (controller !== undefined) return;
  controller = new AbortController();
  showFailure(undefined);
  try {
    const outcome = await work(controller.signal);
    showState("ready", outcome);
  } catch (error) {
    if (error instanceof RushlightError && (error.code === "ERR_DEVICE_LOST" || error.code === "ERR_INTERNAL")) forget();
    const stopped = error instanceof RushlightError && error.code === "ERR_ABORTED";
    const failure = stopped ? undefined : explain(error);
    showFailure(failure);
    showState(current === undefined ? "idle" : "ready", failure?.title ?? "Stopped.");
  } finally {
    controller = undefined;
  }
}

async function load(signal: AbortSignal): Promise<string> {
  await ready(signal);
  return "The model is ready.";
}

async function generate(signal: AbortSignal): Promise<string> {
  const model = await ready(signal);
  const prompt = controls.prompt.value;
  beginAnswer(prompt);
  showState("generating", "Reading the prompt…");
  const answer = model.generate(prompt, { ...generateOptions(), signal });
  let tokens = 0;
  let first = 0;
  for await (const piece of answer) {
    appendPiece(piece);
    const now = performance.now();
    if (tokens++ === 0) first = now;
    else if (tokens % 4 === 0) showState("generating", `Writing: ${speed(((tokens - 1) * 1000) / (now - first))}`);
  }
  if (answer.stats === undefined) return "Done.";
  showStats(answerFacts(answer.stats));
  return `Done: ${count(answer.stats.tokens)} tokens, ${ENDS[answer.stats.reason]}.`;
}

function takeFile(file: File | undefined): void {
  droppedFile = file;
  if (file === undefined) controls.file.value = "";
  const name = chosenFile()?.name;
  controls.forgetFile.hidden = name === undefined;
  controls.url.disabled = name !== undefined;
  if (name !== undefined) void run(load);
}

controls.form.addEventListener("submit", (event) => {
  event.preventDefault();
  void run(generate);
});
controls.load.addEventListener("click", () => void run(load));
controls.stop.addEventListener("click", () => controller?.abort());
controls.forgetFile.addEventListener("click", () => {
  takeFile(undefined);
});
controls.file.addEventListener("change", () => {
  droppedFile = undefined;
  takeFile(controls.file.files?.[0]);
});
onDroppedFile(takeFile);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") controller?.abort();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) controls.form.requestSubmit();
});
applyPresets();
