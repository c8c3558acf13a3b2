// A model that answers every conversation with the same tokens, and remembers what it was asked.

import { RushlightError } from "../modules/errors.js";

const STATS = { reason: "stop", promptTokens: 12, tokens: 3, firstTokenMs: 5, prefillTokensPerSecond: 1000, decodeTokensPerSecond: 50 };

/** A token of three alternatives, itself the most likely. */
export const piece = (id, text) => ({
  id,
  text,
  logprob: -0.25,
  top: [
    { id, text, logprob: -0.25 },
    { id: 90, text: " is", logprob: -1.5 },
    { id: 91, text: "\uFFFD", logprob: -3 },
  ],
});

/** `pieces` may hold an error, which is thrown in its place. */
export function fakeChat({ pieces = [piece(1, "Hel"), piece(2, "lo"), piece(3, "!")], stats = {} } = {}) {
  const log = { messages: undefined, options: undefined, given: 0, left: false };
  const chat = (messages, options = {}) => {
    Object.assign(log, { messages, options, given: 0, left: false });
    const answer = { stats: undefined, [Symbol.asyncIterator]: run };
    async function* run() {
      try {
        for (const next of pieces) {
          await new Promise((resolve) => setTimeout(resolve, 1));
          if (options.signal?.aborted) throw new RushlightError("ERR_ABORTED", "the operation was aborted");
          if (next instanceof Error) throw next;
          log.given++;
          yield options.logprobs === undefined ? { ...next, logprob: null, top: [] } : { ...next, top: next.top.slice(0, options.logprobs) };
        }
        answer.stats = { ...STATS, ...stats };
      } finally {
        log.left = true;
      }
    }
    return answer;
  };
  return { model: { info: { name: "Fake 1B", architecture: "fake" }, chat }, log };
}
