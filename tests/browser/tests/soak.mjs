// Two hundred answers in one page: WebAssembly memory, JavaScript heaps and threads are as after the tenth. `RUSHLIGHT_SOAK` sets
// another number.

import assert from "node:assert/strict";

import { MODEL } from "../lib/paths.mjs";
import { workerThreads } from "../lib/worker_threads.mjs";

const ANSWERS = Number(process.env.RUSHLIGHT_SOAK ?? 200);
const TOKENS = 8;

/** Answers whose first ones may still take memory: each kind has come at least once. */
const SETTLED = 10;

/** Growth of the heaps that is allowed after that: code that is compiled anew, samples of this test. A leak of 20 kB an answer is found. */
const HEAP_GROWTH = 4 * 2 ** 20;

const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

export default [
  {
    name: "soak: chromium: memory and threads are flat over many answers in one page",
    async run(context) {
      assert.ok(ANSWERS > SETTLED, `RUSHLIGHT_SOAK: expected more than ${SETTLED}, got ${ANSWERS}`);
      const page = await context.page("chromium", "/test/package.html");
      await page.waitFor("the package", () => globalThis.rushlight !== undefined);
      await page.evaluate(async (url) => {
        globalThis.model = await globalThis.rushlight.loadModel(url, { backend: "cpu" });
      }, `/models/${MODEL}`);
      const samples = [];
      for (let turn = 0; turn < ANSWERS; turn++) {
        const tokens = await page.evaluate(answer, { turn, tokens: TOKENS });
        assert.equal(tokens, turn % 5 === 4 ? TOKENS / 2 : TOKENS, `answer ${turn}`);
        if (turn + 1 < SETTLED) continue;
        samples.push({ wasm: await page.evaluate(wasmBytes), threads: workerThreads() });
        // Counting the heaps takes Chromium a minute: it waits that long for the pool's threads, which sleep inside wasm. What
        // leaks has added up by the end.
        if (turn + 1 === SETTLED || turn + 1 === ANSWERS) samples.at(-1).heaps = await page.evaluate(heapBytes);
      }
      const [settled, ...later] = samples;
      const last = samples.at(-1);
      for (const sample of later) {
        assert.equal(sample.wasm, settled.wasm, `WebAssembly memory grew: ${JSON.stringify(samples)}`);
        assert.equal(sample.threads, settled.threads, `threads came or went: ${JSON.stringify(samples)}`);
      }
      assert.ok(last.heaps - settled.heaps <= HEAP_GROWTH, `the heaps grew: ${settled.heaps} to ${last.heaps}`);
      const heaps = `heaps ${mib(settled.heaps)}, then ${mib(last.heaps)}`;
      return `${ANSWERS} answers of ${TOKENS} tokens: wasm ${mib(settled.wasm)}, ${heaps}, ${settled.threads} worker threads`;
    },
  },
];

/** In the page: an answer of one kind by turns: greedy, sampled, with log-probabilities, with a stop text, left half-way. */
async function answer({ turn, tokens }) {
  const prompts = ["The capital of France is", "def add(a, b):\n    return", "Es war einmal ein"];
  const kinds = [{}, { temperature: 0.9, topK: 40, seed: turn }, { logprobs: 5 }, { stop: ["never to be seen"] }, {}];
  // The model may not end by itself: its end tokens are forbidden.
  const options = { maxTokens: tokens, logitBias: { 1: -Infinity, 106: -Infinity }, ...kinds[turn % kinds.length] };
  if (turn % 5 === 0) delete options.logitBias;
  let count = 0;
  for await (const piece of globalThis.model.generate(prompts[turn % prompts.length], options)) {
    if (piece.id !== null) count++;
    if (turn % 5 === 4 && count === tokens / 2) break;
  }
  return count;
}

/** In the page: bytes of the WebAssembly memory. */
async function wasmBytes() {
  return (await globalThis.model.memory()).wasm;
}

/** In the page: bytes of all heaps, the workers' among them. Chromium counts a shared memory there too. */
async function heapBytes() {
  return (await performance.measureUserAgentSpecificMemory()).bytes;
}
