// An abort, and a reader that leaves, wherever a call is: heard within 50 ms, by the page and by the engine, and never taken for a success.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { rushlight } from "../modules/ai-sdk.js";
import { Connection } from "../modules/connection.js";
import { Host } from "../modules/host.js";
import { loadRequest, loadThrough } from "../modules/load.js";
import { chatCompletion } from "../modules/openai.js";
import { fakeCore } from "./fake_engine.js";

const open = [];
afterEach(() => open.splice(0).forEach((port) => port.close()));
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function load(options) {
  const { core, log } = fakeCore(options);
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  new Host(port2, {
    core,
    lendThreads: async () => {},
    askAdapter: async () => ({ missing: "no GPU in this test" }),
    openStore: async () => undefined,
    yieldToEvents: () => pause(0),
  });
  const connection = new Connection(port1, () => port1.close());
  const model = await loadThrough(connection, loadRequest(new File([new Uint8Array(10)], "m.gguf"), {}), {});
  return { model, log };
}

/** Fails unless it ends within 50 ms of the abort, with the signal's reason. */
async function heard(promise, controller) {
  await pause(20);
  const began = performance.now();
  const reason = new Error("the visitor left");
  controller.abort(reason);
  await assert.rejects(promise, (error) => {
    assert.equal(error.name, "AbortError", error.stack);
    assert.equal(error.code, "ERR_ABORTED");
    assert.equal(error.cause, reason);
    return true;
  });
  const took = performance.now() - began;
  assert.ok(took < 50, `${took} ms`);
}

async function drain(pieces) {
  let text = "";
  for await (const piece of pieces) text += piece.text;
  return text;
}

const aborted = () => {
  const controller = new AbortController();
  controller.abort(new Error("long ago"));
  return controller.signal;
};

const MESSAGES = [{ role: "user", content: "a b c" }];

/** Every call that takes a signal. */
const CALLS = {
  generate: (model, signal) => drain(model.generate("a b c", { signal })),
  chat: (model, signal) => drain(model.chat(MESSAGES, { signal })),
  embed: (model, signal) => model.embed(["a"], { signal }),
  ask: (model, signal) => model.ask("Who?", { context: "Nobody.", signal }),
  save: (model, signal) => model.save("name", { signal }),
  restore: (model, signal) => model.restore("name", { signal }),
  restoreFrom: (model, signal) => model.restoreFrom(new File(["a"], "a.kv"), { signal }),
  "OpenAI, whole": (model, signal) => chatCompletion(model, { messages: MESSAGES }, { signal }),
  "OpenAI, in chunks": async (model, signal) => {
    for await (const chunk of chatCompletion(model, { messages: MESSAGES, stream: true }, { signal })) assert.ok(chunk);
  },
  "AI SDK, whole": (model, abortSignal) => rushlight(model).doGenerate({ prompt: [{ role: "user", content: [{ type: "text", text: "a" }] }], abortSignal }),
  "AI SDK, streamed": async (model, abortSignal) => {
    const { stream } = await rushlight(model).doStream({ prompt: [{ role: "user", content: [{ type: "text", text: "a" }] }], abortSignal });
    for await (const part of stream) assert.notEqual(part.type, "error");
  },
};

for (const [name, call] of Object.entries(CALLS)) {
  test(`${name}: an abort is heard while it waits for its turn`, async () => {
    const { model, log } = await load({ stepMs: 200 });
    const first = drain(model.generate("x y"));
    await pause(10);
    const controller = new AbortController();
    await heard(call(model, controller.signal), controller);
    assert.equal(await first, "xy");
    await model.memory();
    assert.equal(log.steps, 3, "the engine did nothing for it");
  });

  test(`${name}: a signal that was aborted before`, async () => {
    const { model, log } = await load();
    await assert.rejects(async () => call(model, aborted()), { code: "ERR_ABORTED" });
    await model.memory();
    assert.equal(log.steps, 0);
  });
}

for (const name of ["generate", "chat", "embed", "OpenAI, whole", "OpenAI, in chunks", "AI SDK, whole", "AI SDK, streamed"]) {
  test(`${name}: an abort is heard before the first token, by the engine too`, async () => {
    const { model, log } = await load({ stepMs: 150 });
    const controller = new AbortController();
    await heard(CALLS[name](model, controller.signal), controller);
    await model.memory();
    assert.ok(log.steps <= 1, `${log.steps} steps`);
    assert.ok(log.cancelled >= 1, "the engine's flag was not set");
    assert.equal((await model.embed(["ab"]))[0][0], 2, "the model is usable");
  });
}

test("an abort after the model is done, before the reader has caught up, is an abort", async () => {
  const { model } = await load();
  const controller = new AbortController();
  const generation = model.generate("one two three four", { signal: controller.signal });
  const pieces = generation[Symbol.asyncIterator]();
  assert.equal((await pieces.next()).value.text, "one");
  // The answer comes when the model has written all of it.
  await model.memory();
  controller.abort();
  await assert.rejects(pieces.next(), { code: "ERR_ABORTED" });
  assert.equal(generation.stats, undefined);
  assert.deepEqual(await pieces.next(), { value: undefined, done: true });
});

test("an abort when everything has been read changes nothing", async () => {
  const { model } = await load();
  const controller = new AbortController();
  const generation = model.generate("one two", { signal: controller.signal });
  assert.equal(await drain(generation), "onetwo");
  controller.abort();
  assert.equal(generation.stats.tokens, 2);
});

/** Readers that leave while the engine has not written its first token. */
const LEAVING = {
  "the iterator of an answer": (model) => {
    const pieces = model.generate("a b c")[Symbol.asyncIterator]();
    return { next: pieces.next(), leave: () => pieces.return(undefined) };
  },
  "OpenAI's chunks": (model) => {
    const chunks = chatCompletion(model, { messages: MESSAGES, stream: true });
    // The first chunk has only the role.
    return { next: chunks.next().then(() => chunks.next()), leave: () => chunks.return(undefined) };
  },
  "the AI SDK's stream": async (model) => {
    const { stream } = await rushlight(model).doStream({ prompt: [{ role: "user", content: [{ type: "text", text: "a" }] }] });
    const reader = stream.getReader();
    await reader.read();
    await reader.read();
    await reader.read();
    return { next: reader.read(), leave: () => reader.cancel() };
  },
};

for (const [what, start] of Object.entries(LEAVING)) {
  test(`${what}: who leaves before the first token is heard at once, and the engine stops`, async () => {
    const { model, log } = await load({ stepMs: 200 });
    const { next, leave } = await start(model);
    await pause(30);
    const began = performance.now();
    await leave();
    assert.ok(performance.now() - began < 50, `${performance.now() - began} ms`);
    assert.equal((await next).done, true);
    await model.memory();
    assert.ok(log.steps <= 1, `${log.steps} steps`);
    assert.ok(log.cancelled >= 1, "the engine's flag was not set");
  });
}

test("an error that is thrown into an answer's iterator ends it too", async () => {
  const { model, log } = await load({ stepMs: 5 });
  const pieces = model.generate("w ".repeat(500).trim())[Symbol.asyncIterator]();
  await pieces.next();
  await assert.rejects(pieces.throw(new Error("the reader failed")), /the reader failed/);
  await model.memory();
  assert.ok(log.steps < 10, `${log.steps} steps`);
});

test("an answer that nobody began to read costs nothing, and a signal forgets it", async () => {
  const { model, log } = await load();
  const controller = new AbortController();
  const pieces = model.generate("a b", { signal: controller.signal })[Symbol.asyncIterator]();
  assert.deepEqual(await pieces.return(undefined), { value: undefined, done: true });
  controller.abort();
  await model.memory();
  assert.equal(log.steps, 0);
});
