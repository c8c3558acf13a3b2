// The playground: a prompt, the sampler's settings, and what the model makes of them.

import { signal } from "@preact/signals";

import { chatting, type GenerateOptions, type GenerateStats, type Model } from "../engine";
import { PageError } from "../words/failures";
import { count } from "../words/format";
import { follow } from "../words/progress";
import { announce, finishAnnouncing } from "./announced";
import { counts, ready } from "./model";
import { busyWith, progress, run } from "./work";

/** How many alternatives each token is shown with. */
const ALTERNATIVES = 6;

/** What is asked to be continued. */
export const prompt = signal("The capital of France is");

/** The sampler's settings as their controls have them; the table of the controls says what is neutral. */
export const sampling = signal<Readonly<Record<string, string>>>({ maxTokens: "64", temperature: "0" });

/** Whether each token's probability is asked for and shown. */
export const shading = signal(true);

/** Whether the prompt is sent as a message of a chat, where the model knows that. */
export const asChat = signal(false);

/** A token of the answer as it is shown. */
export interface Token {
  readonly id: number | null;
  readonly text: string;
  /** 0 to 1, where it was asked for. */
  readonly probability: number | undefined;
  readonly alternatives: readonly { readonly id: number; readonly text: string; readonly probability: number }[];
}

/** The answer so far, and the prompt that it continues. */
export const written = signal<{ readonly prompt: string; readonly tokens: readonly Token[] } | undefined>(undefined);

/** How the answer went. */
export const stats = signal<GenerateStats | undefined>(undefined);

/** A control of the sampler. */
interface Setting {
  readonly name: "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty" | "frequencyPenalty" | "presencePenalty";
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** The value that changes nothing, and is not sent. */
  readonly neutral: number;
  /** What the neutral value is called. */
  readonly off: string;
  readonly hint: string;
}

/** The sliders, in the order in which the sampler applies them; temperature stands by itself. */
export const SLIDERS: readonly Setting[] = [
  { name: "repetitionPenalty", label: "Repetition penalty", min: 1, max: 2, step: 0.01, neutral: 1, off: "off", hint: "Divides the score of what came before." },
  { name: "frequencyPenalty", label: "Frequency penalty", min: -2, max: 2, step: 0.05, neutral: 0, off: "off", hint: "Taken off for each time a token came before." },
  { name: "presencePenalty", label: "Presence penalty", min: -2, max: 2, step: 0.05, neutral: 0, off: "off", hint: "Taken off once for what came before." },
  { name: "topK", label: "Top-k", min: 0, max: 200, step: 1, neutral: 0, off: "off", hint: "Only so many of the likeliest tokens." },
  { name: "topP", label: "Top-p", min: 0, max: 1, step: 0.01, neutral: 1, off: "off", hint: "Only the likeliest that share this probability." },
  { name: "minP", label: "Min-p", min: 0, max: 1, step: 0.01, neutral: 0, off: "off", hint: "Only what is at least this likely beside the best." },
];

/** How freely the model chooses. */
export const TEMPERATURE: Setting = {
  name: "temperature", label: "Temperature", min: 0, max: 2, step: 0.05, neutral: 0, off: "0, always the likeliest", hint: "How freely it chooses.",
};

/** Lines of `id: bias` as the package wants them. */
function logitBias(lines: string): Record<number, number> {
  const biases: Record<number, number> = {};
  for (const line of lines.split("\n").filter((each) => each.trim() !== "")) {
    const [id, bias] = line.split(":").map((part) => part.trim());
    const value = bias === "-inf" ? -Infinity : Number(bias ?? Number.NaN);
    if (id === undefined || !/^\d+$/.test(id) || Number.isNaN(value) || bias === "") {
      throw new PageError("ERR_BAD_SETTING", `token bias: expected lines like “262144: -5” or “262144: -inf”, got “${line.trim()}”`);
    }
    biases[Number(id)] = value;
  }
  return biases;
}

/** The settings as the package's options; what is neutral is left out. */
function generateOptions(): GenerateOptions {
  const given = sampling.value;
  const options: GenerateOptions = {};
  for (const { name, neutral } of [TEMPERATURE, ...SLIDERS]) {
    const value = Number(given[name] ?? neutral);
    if (value !== neutral) options[name] = value;
  }
  if (given.maxTokens) options.maxTokens = Number(given.maxTokens);
  if (given.seed) options.seed = Number(given.seed);
  const stop = (given.stop ?? "").split("\n").filter((line) => line !== "");
  if (stop.length > 0) options.stop = stop;
  const biases = logitBias(given.logitBias ?? "");
  if (Object.keys(biases).length > 0) options.logitBias = biases;
  if (shading.value) options.logprobs = ALTERNATIVES;
  return options;
}

/** Why an answer ended, in words. */
const ENDS: Readonly<Record<GenerateStats["reason"], string>> = {
  stop: "the model came to an end",
  stop_text: "a stop text came up",
  length: "as many as asked for",
  context: "the context is full",
};

/** How often the shown text follows the model. */
const SHOW_EVERY_MS = 30;

async function write(signal: AbortSignal): Promise<string> {
  const options = { ...generateOptions(), signal };
  const model = await ready(signal);
  const text = prompt.value;
  written.value = { prompt: text, tokens: [] };
  stats.value = undefined;
  busyWith("generating", "Reading the prompt…");
  const tokens: Token[] = [];
  const show = (): void => {
    written.value = { prompt: text, tokens: tokens.slice() };
  };
  try {
    await take(begin(model, text, options), tokens, show, options.maxTokens);
  } finally {
    show();
    finishAnnouncing();
  }
  const end = stats.peek();
  return end === undefined ? "Done." : `Done: ${count(end.tokens)} tokens, ${ENDS[end.reason]}.`;
}

function begin(model: Model, text: string, options: GenerateOptions): ReturnType<Model["generate"]> {
  const chat = asChat.value ? chatting(model) : undefined;
  return chat === undefined ? model.generate(text, options) : chat([{ role: "user", content: text }], options);
}

async function take(
  answer: ReturnType<Model["generate"]>,
  tokens: Token[],
  show: () => void,
  maxTokens: number | undefined,
): Promise<void> {
  const measure = follow("tokens");
  let shown = 0;
  for await (const { id, text, logprob, top } of answer) {
    if (tokens.length === 0) busyWith("generating", "Writing…");
    const alternatives = top.map((other) => ({ id: other.id, text: other.text, probability: Math.exp(other.logprob) }));
    tokens.push({ id, text, probability: logprob === null ? undefined : Math.exp(logprob), alternatives });
    announce(text);
    const now = performance.now();
    if (now - shown < SHOW_EVERY_MS) continue;
    shown = now;
    show();
    progress.value = measure(tokens.length, maxTokens);
  }
  const end = answer.stats;
  stats.value = end;
  if (end === undefined) return;
  const { answers, promptTokens, tokens: all } = counts.value;
  counts.value = { answers: answers + 1, promptTokens: promptTokens + end.promptTokens, tokens: all + end.tokens };
}

/** Lets the model continue the prompt. */
export async function generate(): Promise<void> {
  await run(write);
}
