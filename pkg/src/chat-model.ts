// What the adapters for other people's interfaces need of a model: so little that tests can put their own in its place.

import type { GenerateOptions, GenerateStats, ModelInfo, Piece } from "./types.js";

/** One turn of a conversation, as chat templates know it. */
export interface AdapterMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** An answer as it is being written, with its statistics once it is over. */
export interface ChatAnswer extends AsyncIterable<Piece> {
  readonly stats: GenerateStats | undefined;
}

/** A model that holds conversations: any loaded one whose file has a chat template. */
export interface ChatModel {
  readonly info: Pick<ModelInfo, "name" | "architecture">;
  /** Answers the last message. */
  chat(messages: readonly AdapterMessage[], options?: GenerateOptions): ChatAnswer;
}
