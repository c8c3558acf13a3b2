// The elements of the page and how they show things. Nothing here knows how a model is loaded.

import type { LoadProgress, Piece } from "rushlight";

import type { Failure } from "./failures";
import { bytes, duration } from "./format";

/** What the page is doing; also an attribute of the body, for styles and tests. */
export type State = "idle" | "loading" | "ready" | "generating";

/** A fact of a definition list. The plain value is kept in the element for programs. */
export interface Fact {
  readonly key: string;
  readonly label: string;
  readonly text: string;
  readonly value: number | string;
}

function element<E extends HTMLElement>(id: string, type: new () => E): E {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return found;
}

/** The controls. */
export const controls = {
  form: element("form", HTMLFormElement),
  url: element("model-url", HTMLInputElement),
  file: element("model-file", HTMLInputElement),
  forgetFile: element("forget-file", HTMLButtonElement),
  backend: element("backend", HTMLSelectElement),
  kv: element("kv", HTMLSelectElement),
  context: element("context", HTMLInputElement),
  load: element("load", HTMLButtonElement),
  prompt: element("prompt", HTMLTextAreaElement),
  maxTokens: element("max-tokens", HTMLInputElement),
  temperature: element("temperature", HTMLInputElement),
  topK: element("top-k", HTMLInputElement),
  topP: element("top-p", HTMLInputElement),
  seed: element("seed", HTMLInputElement),
  generate: element("generate", HTMLButtonElement),
  stop: element("stop", HTMLButtonElement),
};

const loading = element("loading", HTMLElement);
const progressBar = element("progress", HTMLProgressElement);
const progressText = element("progress-text", HTMLElement);
const facts = element("facts", HTMLElement);
const status = element("status", HTMLElement);
const answer = element("answer", HTMLElement);
const stats = element("stats", HTMLElement);
const failureBox = element("failure", HTMLElement);
const drop = element("drop", HTMLElement);

/** Shows what the page is doing. */
export function showState(state: State, text: string): void {
  document.body.dataset.state = state;
  const busy = state === "loading" || state === "generating";
  controls.generate.disabled = busy;
  controls.load.disabled = busy;
  controls.stop.disabled = !busy;
  loading.hidden = state !== "loading";
  answer.setAttribute("aria-busy", String(state === "generating"));
  status.textContent = text;
}

/** Shows the bytes that have arrived, and how fast they come. */
export function showProgress({ loaded, total }: LoadProgress, bytesPerSecond: number): void {
  if (total === undefined || total === 0) progressBar.removeAttribute("value");
  else progressBar.value = loaded / total;
  const parts = [total === undefined ? bytes(loaded) : `${bytes(loaded)} of ${bytes(total)}`];
  if (bytesPerSecond > 0) {
    parts.push(`${bytes(bytesPerSecond)}/s`);
    const left = total === undefined ? 0 : ((total - loaded) * 1000) / bytesPerSecond;
    if (left > 1000) parts.push(`${duration(left)} left`);
  }
  progressText.textContent = parts.join(" · ");
}

function showFacts(list: HTMLElement, entries: readonly Fact[]): void {
  list.hidden = entries.length === 0;
  list.replaceChildren(
    ...entries.map(({ key, label, text, value }) => {
      const group = document.createElement("div");
      const term = document.createElement("dt");
      const description = document.createElement("dd");
      term.textContent = label;
      description.textContent = text;
      description.dataset.fact = key;
      description.dataset.value = String(value);
      group.append(term, description);
      return group;
    }),
  );
}

/** Shows what was loaded. */
export function showModel(entries: readonly Fact[]): void {
  showFacts(facts, entries);
}

/** Shows how the answer went. */
export function showStats(entries: readonly Fact[]): void {
  showFacts(stats, entries);
}

/** Empties the answer and shows the prompt that it continues. */
export function beginAnswer(prompt: string): void {
  const echo = document.createElement("span");
  echo.className = "echo";
  echo.textContent = prompt;
  answer.replaceChildren(echo);
  showStats([]);
}

/** Appends a token. */
export function appendPiece(piece: Piece): void {
  const token = document.createElement("span");
  token.className = "token";
  if (piece.id !== null) token.dataset.id = String(piece.id);
  token.textContent = piece.text;
  const atEnd = answer.scrollHeight - answer.scrollTop - answer.clientHeight < 40;
  answer.append(token);
  if (atEnd) answer.scrollTop = answer.scrollHeight;
}

/** Shows a failure, or takes the last one away. */
export function showFailure(failure: Failure | undefined): void {
  failureBox.hidden = failure === undefined;
  failureBox.replaceChildren();
  if (failure === undefined) return;
  const { code, title, advice, detail } = failure;
  failureBox.dataset.code = code;
  for (const [tag, text] of [["strong", title], ["p", advice], ["code", `${code}: ${detail}`]] as const) {
    const part = document.createElement(tag);
    part.textContent = text;
    failureBox.append(part);
  }
}

/** Calls back with a file that is dropped anywhere on the page. */
export function onDroppedFile(take: (file: File) => void): void {
  const carriesFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
  window.addEventListener("dragover", (event) => {
    if (!carriesFile(event)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) drop.hidden = true;
  });
  window.addEventListener("drop", (event) => {
    drop.hidden = true;
    if (!carriesFile(event)) return;
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) take(file);
  });
}
