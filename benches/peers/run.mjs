// Measures both sides in one headless Chromium, page by page in turn, and prints a line of JSON for each page:
//
//     node run.mjs generation --url URL --model PATH --threads 2 --runs 5
//     node run.mjs memory --url URL --threads 2
//     node run.mjs embedding --url URL --graph PATH --folder PATH --text TEXT --ids 1,2,3 --threads 2 --runs 5
//
// The server (started by `cargo xtask bench cpu`) sends COOP and COEP, so that threads work. Each page is a context of its own:
// nothing is cached, and nothing that one side holds is left when the other's turn comes.

import { parseArgs } from "node:util";

import { openUndisturbed } from "./undisturbed.mjs";

/** A page may take that long for all it does. */
const PATIENCE_MS = 300_000;

/** Tokens of the long prompt, with BOS, and of the answer. */
const PROMPT_TOKENS = 128;
const ANSWER_TOKENS = 64;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: "string" },
    model: { type: "string" },
    graph: { type: "string" },
    folder: { type: "string" },
    text: { type: "string" },
    ids: { type: "string" },
    threads: { type: "string", default: "1" },
    runs: { type: "string", default: "5" },
    "first-token-only": { type: "boolean", default: false },
  },
});

/** 127 tokens of the vocabulary, a word each, so that BOS makes 128. No two runs begin alike: wllama keeps a prompt's cache. */
function longPrompt(run) {
  const openings = ["Once", "When", "After", "Before", "While", "Since", "Because", "Although", "Where", "Then"];
  const sentence = " the old man went down to the river and looked at the water for a long time, and then he said to the boy that it was time to go home,";
  const words = sentence.match(/ ?[a-z]+|,/g);
  let text = openings[run % openings.length];
  for (let at = 0; at < PROMPT_TOKENS - 2; at++) text += words[at % words.length];
  return text;
}

const KINDS = {
  generation: {
    sides: ["rushlight", "wllama"],
    request: (run) => ({
      model: options.model,
      threads: Number(options.threads),
      first: "The capital of France is",
      prompt: longPrompt(run),
      tokens: options["first-token-only"] ? 0 : ANSWER_TOKENS,
    }),
    measure: (request) => globalThis.measureGeneration(request),
    check(result) {
      if (options["first-token-only"]) return;
      const prompt = result.promptTokens + (result.cached ?? 0);
      // BOS is alike in all prompts, and may come from a cache.
      if (prompt !== PROMPT_TOKENS || (result.cached ?? 0) > 1) throw new Error(`prompt of ${prompt} tokens, ${result.cached} cached`);
      if (result.written < ANSWER_TOKENS / 2) throw new Error(`the answer ended after ${result.written} tokens`);
    },
  },
  embedding: {
    sides: ["rushlight", "onnxruntime"],
    request: () => ({
      graph: options.graph,
      folder: options.folder,
      threads: Number(options.threads),
      text: options.text,
      ids: options.ids.split(",").map(Number),
      runs: 20,
    }),
    measure: (request) => globalThis.measureEmbedding(request),
    check() {},
  },
  memory: {
    sides: ["memory"],
    request: () => ({ threads: Number(options.threads), runs: 5 }),
    measure: (request) => globalThis.measureMemory(request),
    check() {},
  },
};

const kind = KINDS[positionals[0]];
if (kind === undefined || options.url === undefined) {
  console.error(`usage: node run.mjs ${Object.keys(KINDS).join("|")} --url URL ...`);
  process.exit(2);
}

/** One browser for all: without a GPU, as on the machines that this is about. */
const browser = openUndisturbed();
try {
  for (let run = 0; run < Number(options.runs); run++) {
    for (const side of kind.sides) {
      const line = { side, run };
      try {
        line.result = await browser.measure(`${options.url}/${side}.html`, kind.measure, kind.request(run), PATIENCE_MS);
        kind.check(line.result);
      } catch (error) {
        line.error = String(error.message).split("\n").slice(0, 4).join(" ");
      }
      console.log(JSON.stringify(line));
    }
  }
} finally {
  await browser.close();
}
process.exit(0);
