// A core without a model: it "loads" any bytes and answers with the words of the prompt, one a step. It holds its engine in
// async methods as wasm-bindgen does, and hears its cancel flag between steps.

import { fakeDocuments } from "./fake_documents.js";

class CodedError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** A `CoreModule`, and what was done to it. */
export function fakeCore({ headerBytes = 4, failPush, stepMs = 0, trap, heldBack = "", vacancies = 0, timings = {} } = {}) {
  const log = { pushed: 0, largest: 0, freed: 0, steps: 0, cancelled: 0, parts: [], options: undefined };
  const memory = { buffer: { byteLength: 65536 } };
  let panic;

  function createEngine(json) {
    log.options = JSON.parse(json);
    let cancelled = false;
    let held = false;
    let words = [];
    let at = 0;
    let partBegan = 0;

    async function hold(body) {
      if (held) throw new Error("recursive use of an object detected");
      held = true;
      try {
        return await body();
      } finally {
        held = false;
      }
    }
    const hear = () => {
      if (cancelled) throw new CodedError("ERR_ABORTED", "cancelled");
    };
    return Promise.resolve({
      free: () => void log.freed++,
      cancelFlag: () => ({ free() {}, cancel: () => (log.cancelled++, (cancelled = true)) }),
      push: (chunk) =>
        hold(async () => {
          hear();
          if (failPush) throw new CodedError(failPush, "push failed");
          log.pushed += chunk.length;
          log.largest = Math.max(log.largest, chunk.length);
          memory.buffer = { byteLength: 65536 + log.pushed };
        }),
      nextPart: (bytes) =>
        hold(async () => {
          log.parts.push(bytes);
          partBegan = log.pushed;
        }),
      hasHeader: () => log.pushed - partBegan >= headerBytes,
      finish: () =>
        hold(async () => {
          if (log.pushed < headerBytes) throw new CodedError("ERR_BAD_FILE", "the file is truncated");
          return JSON.stringify({ architecture: "fake", dimensions: 2, backend: { kind: "cpu", device: "none", software: false, reason: "test" }, timings });
        }),
      start(json) {
        const { prompt, messages } = JSON.parse(json);
        log.messages = messages;
        words = (prompt ?? messages.at(-1).content).split(" ");
        at = 0;
        cancelled = false;
      },
      next: () =>
        hold(async () => {
          await new Promise((resolve) => setTimeout(resolve, stepMs));
          const end = (reason) => JSON.stringify({ end: { reason, text: heldBack, promptTokens: at, cachedTokens: 0, tokens: at } });
          if (cancelled) return end("cancelled");
          log.steps++;
          if (trap !== undefined && at === trap.after) {
            panic = trap.panic;
            throw new WebAssembly.RuntimeError("unreachable");
          }
          if (at === words.length) return end("stop");
          const text = words[at];
          return JSON.stringify({ piece: { id: at++, text, logprob: null, top: [] } });
        }),
      plan: () =>
        hold(async () => {
          const backend = { kind: "cpu", device: "none", reason: "test" };
          const code = log.pushed < headerBytes ? "ERR_BAD_FILE" : null;
          return JSON.stringify({ code, reason: "test", fileBytes: log.parts.reduce((sum, bytes) => sum + bytes, log.options.fileBytes ?? 99), memoryBytes: log.pushed, backend });
        }),
      embed: (json) =>
        hold(async () => {
          cancelled = false;
          await new Promise((resolve) => setTimeout(resolve, stepMs));
          hear();
          return Float32Array.from(JSON.parse(json).flatMap((text) => [text.length, 1]));
        }),
      ...fakeDocuments({ log, hold, hear, reset: () => (cancelled = false), stepMs }),
      exportConversation: () => hold(async () => new TextEncoder().encode(words.join(" "))),
      importConversation(bytes) {
        if (bytes.length === 0) throw new CodedError("ERR_BAD_FILE", "restore: expected a saved conversation");
        log.imported = new TextDecoder().decode(bytes);
        if (log.imported.startsWith("other")) throw new CodedError("ERR_OTHER_MODEL", "restore: of another model");
      },
      memory: () => JSON.stringify({ weights: log.pushed, kv: 0, scratch: 0, tokenizer: 0 }),
      tokenize: (text) => Uint32Array.from(text, (c) => c.codePointAt(0)),
      detokenize: (ids) => String.fromCodePoint(...ids),
    });
  }
  return { log, core: { init: async () => ({ memory }), createEngine, lastPanic: () => panic, poolVacancies: () => vacancies } };
}
