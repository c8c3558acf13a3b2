// A call of the AI SDK as our own messages and options, with a warning for each thing that was asked for and cannot be had.

import type { LanguageModelV4CallOptions, LanguageModelV4Message, SharedV4Warning } from "@ai-sdk/provider";

import type { AdapterMessage } from "./chat-model.js";
import { RushlightError } from "./index.js";
import type { GenerateOptions } from "./types.js";

/** What is asked for, and what of it is left out. */
export interface Call {
  readonly messages: readonly AdapterMessage[];
  readonly options: GenerateOptions;
  readonly warnings: SharedV4Warning[];
}

/** Settings with the same meaning, by the SDK's names. */
const SETTINGS = {
  maxOutputTokens: "maxTokens",
  temperature: "temperature",
  topP: "topP",
  topK: "topK",
  presencePenalty: "presencePenalty",
  frequencyPenalty: "frequencyPenalty",
  seed: "seed",
} as const;

/** Settings of ours that the SDK has no name for. */
const OWN_SETTINGS = ["minP", "repetitionPenalty"] as const;

/** Reads a call; fails for messages that a model of text cannot read. */
export function readCall(call: LanguageModelV4CallOptions): Call {
  const warnings: SharedV4Warning[] = [];
  const messages = call.prompt.map((message) => readMessage(message, warnings));
  const options: GenerateOptions = {};
  for (const [theirs, ours] of Object.entries(SETTINGS)) {
    const value = call[theirs as keyof typeof SETTINGS];
    if (value !== undefined) options[ours] = value;
  }
  if (call.stopSequences !== undefined) options.stop = call.stopSequences;
  if (call.abortSignal !== undefined) options.signal = call.abortSignal;
  readOwnSettings(call.providerOptions?.["rushlight"] ?? {}, options, warnings);
  warnAbout(call, warnings);
  return { messages, options, warnings };
}

function readOwnSettings(given: Readonly<Record<string, unknown>>, options: GenerateOptions, warnings: SharedV4Warning[]): void {
  for (const [name, value] of Object.entries(given)) {
    const setting = OWN_SETTINGS.find((own) => own === name);
    if (setting !== undefined && typeof value === "number") options[setting] = value;
    else warnings.push({ type: "unsupported", feature: `providerOptions.rushlight.${name}` });
  }
}

function warnAbout({ tools, toolChoice, responseFormat, reasoning }: LanguageModelV4CallOptions, warnings: SharedV4Warning[]): void {
  const unsupported = (feature: string, details: string): void => void warnings.push({ type: "unsupported", feature, details });
  if (tools !== undefined && tools.length > 0) unsupported("tools", "The model is not told of them.");
  if (toolChoice?.type === "required" || toolChoice?.type === "tool") unsupported("toolChoice", "The model is told of no tools.");
  if (responseFormat?.type === "json") unsupported("responseFormat", "The answer is not held to JSON or to the schema.");
  if (reasoning !== undefined && reasoning !== "provider-default") unsupported("reasoning", "The model reasons as it was trained to.");
}

function readMessage(message: LanguageModelV4Message, warnings: SharedV4Warning[]): AdapterMessage {
  switch (message.role) {
    case "system":
      return { role: "system", content: message.content };
    case "user":
    case "assistant":
      return { role: message.role, content: message.content.map((part) => readPart(part, message.role, warnings)).join("") };
    case "tool":
      throw unreadable("tool", "a tool's result");
  }
}

type Part = Exclude<LanguageModelV4Message, { role: "system" | "tool" }>["content"][number];

function readPart(part: Part, role: string, warnings: SharedV4Warning[]): string {
  switch (part.type) {
    case "text":
      return part.text;
    case "file":
      // A document that is text already.
      if (part.data.type === "text") return part.data.text;
      throw unreadable(role, `a file of type ${part.mediaType}`);
    case "reasoning":
      // Thoughts of earlier turns: models are trained without them.
      warnings.push({ type: "other", message: "The reasoning of earlier turns is left out." });
      return "";
    default:
      throw unreadable(role, `a part of type ${part.type}`);
  }
}

function unreadable(role: string, what: string): RushlightError {
  return new RushlightError("ERR_UNSUPPORTED", `a message of the role ${role} has ${what}: the model reads text only`);
}
