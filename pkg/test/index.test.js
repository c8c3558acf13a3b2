// The vectors of documents: what a question waits for, what goes on behind it, and what is kept, over real message channels.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Connection } from "../modules/connection.js";
import { Host } from "../modules/host.js";
import { indexes, indexName, LIMIT_BYTES, readIndex, writeIndex } from "../modules/kept-indexes.js";
import { loadRequest, loadThrough } from "../modules/load.js";
import { fakeCore } from "./fake_engine.js";

const open = [];
const navigator = Object.getOwnPropertyDescriptor(globalThis, "navigator");
afterEach(() => {
  open.splice(0).forEach((port) => port.close());
  if (navigator === undefined) delete globalThis.navigator;
  else Object.defineProperty(globalThis, "navigator", navigator);
});

/** A folder of OPFS. Its files have `bytes`, `time` and, in place of the bytes, a `size`. */
function folder({ atomic = true } = {}) {
  const entries = new Map();
  const missing = () => new DOMException("no such entry", "NotFoundError");
  const handleOf = (name) => {
    const write = (bytes) => entries.set(name, { bytes: bytes.slice(), time: Date.now() });
    const handle = {
      kind: "file",
      name,
      async getFile() {
        const { bytes, time, size } = entries.get(name);
        const file = new File([bytes], name, { lastModified: time });
        return size === undefined ? file : { ...file, size, lastModified: time, slice: (...range) => file.slice(...range) };
      },
      createSyncAccessHandle: async () => ({ truncate() {}, write, flush() {}, close() {} }),
    };
    return atomic ? { ...handle, createWritable: async () => ({ write: async (bytes) => write(bytes), close: async () => {} }) } : handle;
  };
  return {
    entries,
    kind: "directory",
    async *values() {
      for (const name of entries.keys()) yield handleOf(name);
    },
    async getDirectoryHandle(name) {
      if (!entries.has(name)) entries.set(name, folder({ atomic }));
      return entries.get(name);
    },
    async getFileHandle(name, { create = false } = {}) {
      if (!create && !entries.has(name)) throw missing();
      return handleOf(name);
    },
    async removeEntry(name) {
      if (!entries.delete(name)) throw missing();
    },
  };
}

/** The folder of kept indexes below a root. */
const inside = async (root) => await (await root.getDirectoryHandle("rushlight")).getDirectoryHandle("indexes");

async function load({ store = folder(), stepMs = 0 } = {}) {
  const { core, log } = fakeCore({ stepMs });
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  new Host(port2, {
    core,
    lendThreads: async () => {},
    askAdapter: async () => ({ missing: "no GPU in this test" }),
    openStore: async () => store,
    yieldToEvents: () => new Promise((resolve) => setTimeout(resolve, 0)),
  });
  const connection = new Connection(port1, () => port1.close());
  const model = await loadThrough(connection, loadRequest(new File([new Uint8Array(10)], "m.gguf"), {}), {});
  return { model, log };
}

/** A document of so many sentences; `rare` stands in those at some places. */
const long = (sentences, rare = [700, 3]) =>
  Array.from({ length: sentences }, (_, at) => (rare.includes(at) ? `a rare ${at}` : `common ${"x".repeat(at % 9)}`)).join("\n");

/** Resolves when the background has embedded all. */
function background(options = {}) {
  const seen = [];
  let all;
  const whole = new Promise((resolve) => (all = resolve));
  const onProgress = (progress) => {
    seen.push(progress);
    if (progress.done === progress.total) all();
  };
  return { seen, whole, index: { ...options, onProgress } };
}

test("an answer waits for the sentences that it needs; the rest follows, and no sentence is embedded twice", async () => {
  const [reader, embedder] = [await load(), await load()];
  const { seen, whole, index } = background();
  const stages = [];
  const answer = await reader.model.ask("rare", { context: long(900), embedder: embedder.model, index, onStage: (stage) => stages.push(stage) });
  assert.equal(answer.answer, "to rare");
  const { similarities } = reader.log;
  assert.equal(similarities.length, 900);
  assert.deepEqual(similarities.flatMap((value, at) => (value === null ? [] : [[at, value]])), [[3, 8 * 4], [700, 10 * 4]]);
  assert.deepEqual(stages.filter(({ stage }) => stage === "embed").map(({ done, total }) => `${done}/${total}`), ["0/2", "2/2"]);
  await whole;
  assert.deepEqual(embedder.log.embedded.slice(0, 2), [3, 700]);
  assert.equal(embedder.log.embedded.length, 900);
  assert.equal(new Set(embedder.log.embedded).size, 900);
  assert.deepEqual(seen.at(-1), { done: 900, total: 900 });
  assert.ok(seen.every(({ done }, at) => at === 0 || done >= seen[at - 1].done), "it never goes back");
  await reader.model.ask("rare", { context: long(900), embedder: embedder.model });
  assert.ok(reader.log.similarities.every((value) => value !== null));
  assert.equal(reader.log.opened, 1, "the document is cut once");
  assert.equal(embedder.log.embedded.length, 900);
});

test("nothing is done in the background while a question is answered, nor before another request", async () => {
  const [reader, embedder] = [await load({ stepMs: 30 }), await load({ stepMs: 2 })];
  const { whole, index } = background();
  const options = { context: long(400), embedder: embedder.model, index };
  await reader.model.ask("rare", options);
  await new Promise((resolve) => setTimeout(resolve, 20));
  // A vector for somebody else comes between two steps.
  const before = embedder.log.embedded.length;
  assert.ok(before > 1 && before < 400, `${before}`);
  await embedder.model.embed(["a"]);
  assert.ok(embedder.log.embedded.length <= before + 16, "the queue is not behind the whole document");
  let during;
  await reader.model.ask("rare", {
    ...options,
    onStage: ({ stage, done }) => {
      if (stage === "read" && done === 0) during = embedder.log.embedded.length;
    },
  });
  assert.ok(embedder.log.embedded.length === during, `${embedder.log.embedded.length - during} while passages were read`);
  await whole;
  assert.equal(new Set(embedder.log.embedded).size, 400);
});

test("the background ends with its signal, with another document, and where it is not wanted", async () => {
  const [reader, embedder] = [await load(), await load({ stepMs: 5 })];
  const ask = (context, index) => reader.model.ask("rare", { context, embedder: embedder.model, index });
  const still = async () => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    const before = embedder.log.embedded.length;
    await new Promise((resolve) => setTimeout(resolve, 60));
    return embedder.log.embedded.length === before;
  };
  const controller = new AbortController();
  await ask(long(2000), { signal: controller.signal });
  assert.ok(!(await still()));
  controller.abort();
  assert.ok(await still());
  await ask(long(2000), { background: false });
  assert.ok(await still());
  const first = background();
  await ask(long(2000), first.index);
  const count = first.seen.length;
  const second = background();
  await ask(long(60, [1]), second.index);
  await second.whole;
  assert.ok(await still());
  assert.ok(first.seen.length <= count + 1, "the one before is over");
  assert.ok(first.seen.every(({ total }) => total === 2000));
});

test("an abort while a question waits for another's documents is heard", async () => {
  const [reader, embedder] = [await load(), await load({ stepMs: 40 })];
  const first = reader.model.ask("common", { context: long(90), embedder: embedder.model, index: { background: false } });
  const controller = new AbortController();
  const second = reader.model.ask("common", { context: long(91), embedder: embedder.model, signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await assert.rejects(second, { code: "ERR_ABORTED" });
  assert.equal((await first).answer, "to common");
  assert.equal((await reader.model.ask("rare", { context: long(90, [8]), embedder: embedder.model })).answer, "to rare");
});

test("documents come one after the other, each with its own similarities", async () => {
  const [reader, embedder] = [await load(), await load({ stepMs: 1 })];
  const ask = async (context) => (await reader.model.ask("rare", { context, embedder: embedder.model, index: { background: false } })).answer;
  assert.deepEqual(await Promise.all([ask(long(50, [1])), ask(long(40, [2])), ask(long(30, [3]))]), ["to rare", "to rare", "to rare"]);
});

for (const atomic of [true, false]) {
  test(`what was made of a long document is kept and taken up${atomic ? "" : " (without atomic writes)"}`, async () => {
    const store = folder({ atomic });
    const ask = async (embedder, context, question = "rare") => {
      const { whole, index } = background();
      const { model } = await load();
      await model.ask(question, { documents: [{ title: "A.txt", text: context }], embedder: embedder.model, index });
      await whole;
      // The last write is awaited by nobody.
      await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const one = await load({ store });
    await ask(one, long(900));
    await ask(one, long(100, [5]));
    const kept = await inside(store);
    assert.equal(kept.entries.size, 1, "the short one is not kept");
    const [written] = kept.entries.values();
    await ask(one, long(900));
    assert.equal([...kept.entries.values()][0], written, "nothing is new: nothing is written");
    const two = await load({ store });
    await ask(two, long(900));
    assert.deepEqual([two.log.taken, two.log.embedded.length], [1, 0]);
    const [[name, file]] = [...kept.entries];
    kept.entries.set(name, { ...file, bytes: file.bytes.slice(0, 500) });
    const three = await load({ store });
    await ask(three, long(900));
    assert.deepEqual([three.log.taken, three.log.embedded.length], [0, 900], "half a file is none");
    const four = await load({ store });
    await ask(four, long(900));
    assert.deepEqual([four.log.taken, four.log.embedded.length], [1, 0], "it was written anew");
    const { model } = await load();
    const five = await load({ store });
    await model.ask("rare", { context: long(901), embedder: five.model, index: { keep: false } });
    assert.equal(five.log.taken, 0, "another document");
  });
}

test("a store that fails costs nothing but the keeping", async () => {
  const store = { getDirectoryHandle: () => Promise.reject(new DOMException("private", "SecurityError")) };
  const [reader, embedder] = [await load(), await load({ store })];
  const { whole, index } = background();
  assert.equal((await reader.model.ask("rare", { context: long(900), embedder: embedder.model, index })).answer, "to rare");
  await whole;
});

test("the oldest files make room, and what cut-off writes left goes", async () => {
  const store = folder();
  const kept = await inside(store);
  const name = (digit) => indexName(digit.repeat(16), "0".repeat(16));
  const put = (name, size, hours) => kept.entries.set(name, { bytes: new Uint8Array(1), size, time: Date.now() - hours * 3600_000 });
  put(name("a"), LIMIT_BYTES / 2, 30);
  put(name("b"), LIMIT_BYTES / 4, 20);
  put(name("c"), LIMIT_BYTES / 4 - 100, 10);
  put(`${name("c")}.crswap`, 50, 2);
  put(`${name("d")}.crswap`, 10, 0);
  await writeIndex(store, name("e"), new Uint8Array(300));
  assert.deepEqual([...kept.entries.keys()].sort(), [name("b"), name("c"), `${name("d")}.crswap`, name("e")]);
  await writeIndex(store, name("b"), new Uint8Array(9));
  assert.equal((await readIndex(store, name("b"))).bytes.length, 9);
  assert.equal((await readIndex(store, name("b"))).stale, false);
  put(name("c"), undefined, 3);
  assert.equal((await readIndex(store, name("c"))).stale, true);
  assert.equal(await readIndex(store, name("f")), undefined);
});

test("what is kept is listed by title, the last used first, and deleted by name", async () => {
  const store = folder();
  Object.defineProperty(globalThis, "navigator", { value: { storage: { getDirectory: async () => store } }, configurable: true });
  const kept = await inside(store);
  assert.deepEqual(await indexes.list(), []);
  const header = new DataView(new ArrayBuffer(40));
  new Uint8Array(header.buffer).set(new TextEncoder().encode("RLIX"));
  for (const [at, value] of [[4, 1], [24, 4000], [28, 1200], [32, 384], [36, 9]]) header.setUint32(at, value, true);
  const bytes = Buffer.concat([Buffer.from(header.buffer), Buffer.from("Ärger.txt".slice(0, 8)), Buffer.alloc(99)]);
  const names = ["1", "2"].map((digit) => indexName(digit.repeat(16), "f".repeat(16)));
  kept.entries.set(names[0], { bytes, time: 5 });
  kept.entries.set(names[1], { bytes: new Uint8Array(7), time: 9 });
  kept.entries.set("other", { bytes, time: 1 });
  assert.deepEqual(await indexes.list(), [
    { name: names[1], title: "", sentences: 0, done: 0, bytes: 7, lastUsed: 9 },
    { name: names[0], title: "Ärger.tx", sentences: 4000, done: 1200, bytes: bytes.length, lastUsed: 5 },
  ]);
  assert.equal(await indexes.delete(names[1]), true);
  assert.equal(await indexes.delete(names[1]), false);
  assert.equal(await indexes.delete("other"), false);
  assert.equal((await indexes.list()).length, 1);
});
