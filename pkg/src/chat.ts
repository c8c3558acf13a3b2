// Messages of a conversation. The core makes them a prompt.

import { RushlightError } from "./errors.js";

/** One message of a conversation. */
export interface ChatMessage {
  /** Templates know these three, and some know others. */
  readonly role: "system" | "user" | "assistant" | (string & {});
  readonly content: string;
}

/** Refuses what no template could take, and leaves out what no template is to see. */
export function checkMessages(messages: readonly ChatMessage[]): ChatMessage[] {
  if (!Array.isArray(messages)) throw new RushlightError("ERR_BAD_ARGUMENT", "messages: expected a list of messages");
  if (messages.length === 0) throw new RushlightError("ERR_BAD_ARGUMENT", "messages: expected at least one, got none");
  return messages.map((message: Partial<ChatMessage> | null, index) => {
    const { role, content } = message ?? {};
    // From JavaScript, or from JSON in OpenAI's shapes, other things come.
    if (typeof role === "string" && typeof content === "string") return { role, content };
    throw new RushlightError("ERR_BAD_ARGUMENT", `messages[${index}]: expected role and content as text`);
  });
}
