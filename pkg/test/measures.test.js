// The option `trace`: what the page's performance timeline says of a load and of answers.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Connection } from "../modules/connection.js";
import { Host } from "../modules/host.js";
import { loadRequest, loadThrough } from "../modules/load.js";
import { enter } from "../modules/measures.js";
import { fakeCore } from "./fake_engine.js";

const open = [];
afterEach(() => {
  open.splice(0).forEach((port) => port.close());
  performance.clearMeasures();
});

async function load(options, core = {}) {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  new Host(port2, {
    core: fakeCore(core).core,
    lendThreads: () => Promise.resolve(),
    askAdapter: () => Promise.resolve({ missing: "no GPU in this test" }),
    openStore: () => Promise.reject(new Error("no store in this test")),
    yieldToEvents: () => new Promise((resolve) => setTimeout(resolve, 0)),
  });
  const file = new File([new Uint8Array(1000)], "model.gguf");
  return await loadThrough(new Connection(port1, () => port1.close()), loadRequest(file, options), options);
}

async function read(generation, { most = Infinity } = {}) {
  let pieces = 0;
  for await (const piece of generation) if (piece.id !== null && ++pieces >= most) break;
  return pieces;
}

const entries = () => performance.getEntriesByType("measure").filter(({ name }) => name.startsWith("rushlight:"));
const named = (name) => entries().filter((entry) => entry.name === name);
const endOf = ({ startTime, duration }) => startTime + duration;

test("a load and an answer are entries with their numbers, one after the other", async () => {
  const before = performance.now();
  // The fake engine has no times of its own.
  const model = await load({ trace: true }, { stepMs: 5, timings: { header: 2, tokenizer: 3 } });
  const [loaded] = named("rushlight:load");
  assert.deepEqual(loaded.detail, { bytes: 1000, backend: "cpu", header: 2, tokenizer: 3 });
  assert.equal(await read(model.generate("one two three four")), 4);
  const [prefill, decode] = entries().filter((entry) => entry !== loaded && entry.name !== "rushlight:load");
  assert.equal(prefill.name, "rushlight:prefill");
  assert.deepEqual(prefill.detail, { promptTokens: 4, cachedTokens: 0 });
  assert.equal(decode.name, "rushlight:decode");
  assert.deepEqual(decode.detail, { tokens: 4 });
  // Times of the worker and of the page are of one clock, up to the coarseness of timers.
  assert.ok(loaded.startTime >= before - 1 && endOf(loaded) <= prefill.startTime + 1);
  assert.ok(Math.abs(endOf(prefill) - decode.startTime) < 0.01);
  // A step each of 5 ms: the first piece, then three more and the end.
  assert.ok(prefill.duration >= 4 && decode.duration >= 16, `${prefill.duration}, ${decode.duration}`);
  assert.ok(endOf(decode) <= performance.now() + 1);
});

test("an answer has two entries however long it is, and again two", async () => {
  const model = await load({ trace: true });
  await read(model.generate("word ".repeat(300)));
  assert.equal(entries().length, 3);
  await read(model.generate("a b"));
  assert.deepEqual(
    entries().map(({ name }) => name).sort(),
    ["decode", "decode", "load", "prefill", "prefill"].map((name) => `rushlight:${name}`),
  );
});

test("an answer that is left early is measured as far as it came", async () => {
  const model = await load({ trace: true }, { stepMs: 2 });
  await read(model.generate("word ".repeat(300)), { most: 3 });
  // The worker hears of it between two steps; a request behind it is answered when it has.
  await model.tokenize("text").catch(() => undefined);
  const [{ detail }] = named("rushlight:decode");
  assert.ok(detail.tokens >= 3 && detail.tokens < 300, `${detail.tokens}`);
});

test("nothing is entered unless it is asked for", async () => {
  const model = await load({});
  await read(model.generate("one two"));
  assert.deepEqual(entries(), []);
  assert.throws(() => loadRequest(new File([], "m.gguf"), { trace: "yes" }), { code: "ERR_BAD_ARGUMENT" });
});

test("a worker's clock that is a little off makes no entry before the timeline, nor one of negative length", () => {
  enter({ name: "rushlight:embed", start: performance.timeOrigin - 5, end: performance.timeOrigin - 9, detail: { texts: 1 } });
  assert.deepEqual(
    named("rushlight:embed").map(({ startTime, duration }) => [startTime, duration]),
    [[0, 0]],
  );
});
