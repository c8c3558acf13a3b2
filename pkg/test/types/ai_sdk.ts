// Compiled, never run: the AI SDK takes the adapter's model, and the adapter takes what `loadModel` gives.

import { streamText, type LanguageModel } from "ai";
import type { ChatModel } from "rushlight/ai-sdk";
import { rushlight } from "rushlight/ai-sdk";

export const taken = (model: ChatModel): LanguageModel => rushlight(model);
export const asked = (model: ChatModel): unknown => streamText({ model: rushlight(model), prompt: "Hello" });
