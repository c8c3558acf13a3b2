// A conversation with a model that was made for them: its turns, which outlive a reload, and what the model still has of them.

import { signal } from "@preact/signals";

import { type ChatMessage, forgetConversation, type GenerateOptions, type GenerateStats, type Model, RushlightError } from "../engine";
import { PageError } from "../words/failures";
import { follow } from "../words/progress";
import { announce, finishAnnouncing } from "./announced";
import { counts, ready, talker } from "./model";
import { busyWith, progress, run } from "./work";

/** What one side said. */
export interface Turn {
  readonly role: "user" | "assistant";
  readonly content: string;
  /** How an answer came about; `undefined` of one that was kept from an earlier visit. */
  readonly end?: TurnEnd;
}

/** How an answer came about. */
export interface TurnEnd {
  readonly why: GenerateStats["reason"] | "stopped";
  /** Unknown of one that was stopped. */
  readonly stats: GenerateStats | undefined;
}

/** The turns so far. */
export const turns = signal<readonly Turn[]>([]);

/** What is written of the next answer; `undefined` while none is. */
export const writing = signal<string | undefined>(undefined);

/** What will be said next. */
export const draft = signal("");

/** What the model is told before the first turn; empty where it is told nothing. */
export const instructions = signal("");

/** The conversation before this one, while it can be brought back. */
export const previous = signal<readonly Turn[]>([]);

/** Whether the turns are from an earlier visit. */
export const restored = signal(false);

/** As the makers of the model that the page offers advise. */
const SAMPLING: GenerateOptions = { temperature: 0.2, topP: 0.9, maxTokens: 512 };

/** Under which the turns, and what the model computed of them, are kept on this machine. */
const NAME = "rushlight conversation";

/** How often the shown text follows the model. */
const SHOW_EVERY_MS = 30;

/** What is being kept or deleted: one after the other, so that nothing is kept of what was deleted. */
let keeping: Promise<void> = Promise.resolve();

/** The model that has the conversation in its cache. */
let holder: Model | undefined;

async function talk(signal: AbortSignal): Promise<string> {
  const text = draft.value.trim();
  if (text === "") throw new PageError("ERR_EMPTY_MESSAGE", "the message is empty");
  const before = turns.value;
  turns.value = [...before, { role: "user", content: text }];
  draft.value = "";
  previous.value = [];
  try {
    const model = await ready(signal, talker());
    if (!model.info.chat) throw new PageError("ERR_NO_TEMPLATE", `${model.info.name} has no chat template`);
    await takeUp(model, before);
    busyWith("generating", "Reading what was said…");
    const stats = await answer(model, signal);
    end({ why: stats.reason, stats });
    keeping = keeping.then(() => orNot(model.save(NAME)));
  } catch (error) {
    const stopped = (writing.value ?? "") !== "";
    if (stopped) end({ why: "stopped", stats: undefined });
    else takeBack(before, text);
    throw error;
  } finally {
    writing.value = undefined;
    finishAnnouncing();
    keepTurns();
  }
  return "Answered.";
}

/** Nothing came of it: the message may be sent again. */
function takeBack(before: readonly Turn[], text: string): void {
  turns.value = before;
  if (draft.value === "") draft.value = text;
}

function end(how: TurnEnd): void {
  turns.value = [...turns.value, { role: "assistant", content: writing.value ?? "", end: how }];
}

async function answer(model: Model, signal: AbortSignal): Promise<GenerateStats> {
  const told = instructions.value.trim();
  const messages: ChatMessage[] = turns.value.map(({ role, content }) => ({ role, content }));
  if (told !== "") messages.unshift({ role: "system", content: told });
  const measure = follow("tokens");
  let [text, tokens, shown] = ["", 0, 0];
  const pieces = model.chat(messages, { ...SAMPLING, overflow: "trim", signal })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await pieces.next();
      if (done === true) {
        countUp(value);
        return value;
      }
      if (tokens++ === 0) busyWith("generating", "Writing…");
      text += value.text;
      announce(value.text);
      const now = performance.now();
      if (now - shown < SHOW_EVERY_MS) continue;
      shown = now;
      writing.value = text;
      progress.value = measure(tokens, SAMPLING.maxTokens);
    }
  } finally {
    writing.value = text;
  }
}

function countUp({ promptTokens, tokens }: GenerateStats): void {
  const sums = counts.value;
  counts.value = { answers: sums.answers + 1, promptTokens: sums.promptTokens + promptTokens, tokens: sums.tokens + tokens };
}

/** Gives the model back what was computed of the turns. Where that is not to be had, it reads them again. */
async function takeUp(model: Model, before: readonly Turn[]): Promise<void> {
  if (holder === model || before.length === 0) {
    holder = model;
    return;
  }
  await keeping;
  await orNot(model.restore(NAME));
  holder = model;
}

/** Without what the model computed the next visit takes longer, and is as good. */
async function orNot(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof RushlightError)) throw error;
  }
}

function keepTurns(): void {
  const plain = turns.value.map(({ role, content }) => ({ role, content }));
  try {
    if (plain.length === 0) localStorage.removeItem(NAME);
    else localStorage.setItem(NAME, JSON.stringify({ instructions: instructions.value, turns: plain }));
  } catch {
    // Site data is blocked or full: the conversation lasts as long as the tab.
  }
}

/** Takes up the conversation of the last visit. */
export function restoreTurns(): void {
  let kept: unknown;
  try {
    kept = JSON.parse(localStorage.getItem(NAME) ?? "null");
  } catch {
    return;
  }
  if (typeof kept !== "object" || kept === null) return;
  const { instructions: told, turns: said } = kept as Partial<Record<"instructions" | "turns", unknown>>;
  if (!Array.isArray(said) || said.length === 0 || !said.every(isTurn)) return;
  turns.value = said.map(({ role, content }) => ({ role, content }));
  if (typeof told === "string") instructions.value = told;
  restored.value = true;
}

function isTurn(value: unknown): value is Turn {
  if (typeof value !== "object" || value === null) return false;
  const { role, content } = value as Partial<Record<"role" | "content", unknown>>;
  return (role === "user" || role === "assistant") && typeof content === "string";
}

/** Says what is in the draft. */
export async function send(): Promise<void> {
  await run(talk);
}

/** Begins anew; the last conversation can be brought back until something is said. */
export function startAnew(): void {
  previous.value = turns.value;
  turns.value = [];
  restored.value = false;
  holder = undefined;
  keepTurns();
  keeping = keeping.then(() => orNot(forgetConversation(NAME)));
}

/** Brings the last conversation back. */
export function bringBack(): void {
  turns.value = previous.value;
  previous.value = [];
  keepTurns();
}
