// Compiled, never run: OpenAI's own declarations are the judge of ours.

import type OpenAI from "openai";
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionRequest, ChatModel } from "rushlight/openai";
import { chatCompletion } from "rushlight/openai";

type Theirs = OpenAI.Chat.Completions.ChatCompletionCreateParams;

/** What reads OpenAI's answers can read ours. */
export const whole = (answer: ChatCompletion): OpenAI.Chat.Completions.ChatCompletion => answer;
export const chunk = (answer: ChatCompletionChunk): OpenAI.Chat.Completions.ChatCompletionChunk => answer;

/** What is written for OpenAI's function can be handed to ours. */
type Sendable = Pick<Theirs, Extract<keyof Theirs, keyof ChatCompletionRequest>>;
export const request = (asked: Sendable): ChatCompletionRequest => asked;

/** `stream` decides what comes back. */
export async function calls(model: ChatModel, asked: { messages: { role: "user"; content: string }[] }): Promise<void> {
  const answer: ChatCompletion = await chatCompletion(model, asked);
  console.log(answer.choices[0]?.message.content);
  const chunks: AsyncIterable<ChatCompletionChunk> = chatCompletion(model, { ...asked, stream: true });
  for await (const { choices } of chunks) console.log(choices[0]?.delta.content);
  // @ts-expect-error: chunks are no promise of a whole
  const wrong: Promise<ChatCompletion> = chatCompletion(model, { ...asked, stream: true });
  await wrong;
}
