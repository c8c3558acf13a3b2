// Where there is no page: addresses, plans and what is stored in workers, in Deno and Bun, on servers. And options that frameworks have
// put their hands on.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { cache } from "../modules/cache.js";
import { Connection } from "../modules/connection.js";
import { conversations } from "../modules/conversations.js";
import { addressOf } from "../modules/file-source.js";
import { Host } from "../modules/host.js";
import { loadModel, loadRequest, loadThrough } from "../modules/load.js";
import { plan } from "../modules/plan.js";
import { plainData } from "../modules/plain.js";
import { fakeCore } from "./fake_engine.js";

const ports = [];
const globals = [];
afterEach(() => {
  ports.splice(0).forEach((port) => port.close());
  for (const name of globals.splice(0)) delete globalThis[name];
});

/** A global of this test. */
function set(name, descriptor) {
  globals.push(name);
  Object.defineProperty(globalThis, name, { configurable: true, ...descriptor });
}

const ADDRESS = "https://models.example/a/m.gguf?download=1";
const bad = (pattern) => (error) => {
  assert.equal(error.code, "ERR_BAD_ARGUMENT", error.stack);
  assert.match(error.message, pattern);
  return true;
};

test("a whole address is one anywhere, others are relative to what there is", () => {
  assert.equal(addressOf(ADDRESS), ADDRESS);
  assert.equal(addressOf(new URL(ADDRESS)), ADDRESS);
  assert.throws(() => addressOf("m.gguf"), bad(/m\.gguf is not an address: there is no page/));
  set("location", { value: { href: "https://site.example/workers/w.js" } });
  assert.equal(addressOf("m.gguf"), "https://site.example/workers/m.gguf", "in a worker");
  assert.equal(addressOf(ADDRESS), ADDRESS);
  set("document", { value: { baseURI: "https://site.example/page/" } });
  assert.equal(addressOf("m.gguf"), "https://site.example/page/m.gguf", "in a page");
});

test("Deno has a location that throws, a blob's worker has one that nothing is relative to", () => {
  set("location", { get: () => { throw new ReferenceError('Access to "location", run again with --location <href>.'); } });
  assert.equal(addressOf(ADDRESS), ADDRESS);
  assert.throws(() => addressOf("m.gguf"), bad(/is not an address/));
  set("location", { value: { href: "blob:https://site.example/0f0f" } });
  assert.equal(addressOf(ADDRESS), ADDRESS);
  assert.throws(() => addressOf("m.gguf"), bad(/is not an address/));
});

test("what is no address is refused by an error of ours, whatever it is", () => {
  for (const wrong of ["", "http://", undefined, null, 7, {}, Object.create(null), Symbol("m"), new Proxy(new URL(ADDRESS), {})]) {
    assert.throws(() => addressOf(wrong), { code: "ERR_BAD_ARGUMENT" });
  }
});

test("a load takes a whole address here, and a folder", () => {
  assert.deepEqual(loadRequest(ADDRESS, {}).source, { url: ADDRESS });
  assert.equal(loadRequest("https://models.example/minilm/", {}).source.files.config.url, "https://models.example/minilm/config.json");
});

test("without workers a load fails with its code, and a plan says that it would", async () => {
  assert.equal(typeof Worker, "undefined");
  await assert.rejects(loadModel(ADDRESS), { code: "ERR_NO_BACKEND" });
  const { ok, code, reason } = await plan(ADDRESS);
  assert.deepEqual([ok, code], [false, "ERR_NO_BACKEND"]);
  assert.match(reason, /web workers/);
});

test("a worker that cannot be started is an error with a code", async () => {
  set("Worker", { value: class { constructor() { throw new DOMException("the policy forbids it", "SecurityError"); } } });
  await assert.rejects(loadModel(ADDRESS), (error) => error.code === "ERR_NO_BACKEND" && /the policy forbids it/.test(error.message));
  assert.equal((await plan(ADDRESS)).code, "ERR_NO_BACKEND");
});

/** What `navigator` may lack or do where nothing is stored. */
const NAVIGATORS = {
  "there is none": undefined,
  "without storage or locks": {},
  "storage without a file system": { storage: {}, locks: {} },
  "storage that refuses": {
    locks: { request: () => Promise.reject(new DOMException("no", "SecurityError")) },
    storage: {
      getDirectory: () => Promise.reject(new DOMException("a private window", "SecurityError")),
      estimate: () => Promise.reject(new TypeError("no")),
      persist: () => Promise.reject(new TypeError("no")),
    },
  },
  "storage that throws": { locks: {}, get storage() { throw new DOMException("a sandbox", "SecurityError"); } },
};

for (const [what, navigator] of Object.entries(NAVIGATORS)) {
  test(`nothing is stored, and nothing throws: ${what}`, async () => {
    set("navigator", { value: navigator });
    assert.deepEqual(await cache.list(), []);
    assert.equal(await cache.delete(ADDRESS), false);
    assert.equal(await cache.delete("a key"), false);
    assert.equal(await cache.persist(), false);
    assert.deepEqual(await cache.estimate(), { usage: 0, quota: 0 });
    assert.deepEqual(await conversations.list(), []);
    assert.equal(await conversations.delete("a"), false);
  });
}

async function load() {
  const { core, log } = fakeCore();
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const started = [];
  const { createEngine } = core;
  core.createEngine = async (json) => {
    const engine = await createEngine(json);
    return { ...engine, start: (request) => (started.push(request), engine.start(request)) };
  };
  new Host(port2, {
    core,
    lendThreads: async () => {},
    askAdapter: async () => ({ missing: "no GPU in this test" }),
    openStore: async () => undefined,
    yieldToEvents: () => new Promise((resolve) => setTimeout(resolve, 0)),
  });
  const connection = new Connection(port1, () => port1.close());
  const model = await loadThrough(connection, loadRequest(new File([new Uint8Array(10)], "m.gguf"), {}), {});
  return { model, connection, log, started };
}

/** As Vue's `reactive` and Svelte's `$state` do: every object is wrapped, also those within. */
const reactive = (value) =>
  typeof value !== "object" || value === null
    ? value
    : new Proxy(value, { get: (target, name, receiver) => reactive(Reflect.get(target, name, receiver)) });

async function drain(generation) {
  let text = "";
  for await (const piece of generation) text += piece.text;
  return text;
}

test("what frameworks wrap arrives as what it stands for", async () => {
  const { model, log, started } = await load();
  const options = reactive({ stop: ["\n"], logitBias: { 7: -1, 9: 2 }, maxTokens: 5 });
  assert.equal(await drain(model.generate("a b", options)), "ab");
  assert.deepEqual(JSON.parse(started.at(-1)), { stop: ["\n"], logitBias: { 7: -1, 9: 2 }, maxTokens: 5, prompt: "a b" });
  assert.equal(await drain(model.chat(reactive([{ role: "user", content: "c d" }]), { stop: reactive(["x"]) })), "cd");
  assert.deepEqual(log.messages, [{ role: "user", content: "c d" }]);
  assert.equal((await model.embed(reactive(["abc"])))[0][0], 3);
  assert.equal(await model.detokenize(reactive([97, 98])), "ab");
  assert.equal(await model.detokenize(Uint32Array.of(97)), "a");
});

test("what no worker could take is refused by its name, and nothing is left waiting", async () => {
  const { model, connection } = await load();
  const cyclic = {};
  cyclic.self = cyclic;
  for (const [options, name] of [
    [{ onToken: () => {} }, /^onToken: .*a function/],
    [{ stop: [() => {}] }, /^stop\[0\]: .*a function/],
    [{ logitBias: new Map([[1, 2]]) }, /^logitBias: .*a Map/],
    [{ logitBias: { 7: Symbol("x") } }, /^logitBias\.7: .*a symbol/],
    [{ maxTokens: 5n }, /^maxTokens: .*a bigint/],
    [{ stop: Promise.resolve([]) }, /^stop: .*a Promise/],
    [{ logitBias: cyclic }, /^logitBias.*holds itself/],
  ]) {
    await assert.rejects(drain(model.generate("a", options)), bad(name));
  }
  await assert.rejects(drain(model.generate({ value: "a ref" })), bad(/^prompt: expected a text/));
  await assert.rejects(model.embed("one text"), bad(/^texts: expected a list/));
  await assert.rejects(model.embed([() => {}]), bad(/^texts\[0\]/));
  await assert.rejects(model.tokenize(undefined), bad(/^text: expected a text/));
  await assert.rejects(model.detokenize([() => {}]), bad(/^ids\[0\]/));
  assert.throws(() => model.chat("hello"), bad(/^messages/));
  assert.throws(() => model.chat([null]), bad(/^messages\[0\]/));
  // Past every check, by the channel itself: the answer is an error, and not a request that waits for ever.
  const { answer, cancel } = connection.call({ type: "tokenize", text: () => {} });
  await assert.rejects(answer, bad(/^tokenize: .*cannot be sent/));
  cancel();
  assert.equal(await drain(model.generate("still here")), "stillhere");
  model.dispose();
});

test("a load whose source or options cannot be sent fails and ends its worker", async () => {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  let ended = false;
  const connection = new Connection(port1, () => (ended = true));
  const request = { ...loadRequest(new File([], "m.gguf"), {}), source: { file: new Proxy(new Blob([]), {}) } };
  await assert.rejects(loadThrough(connection, request, {}), bad(/^load: .*cannot be sent/));
  assert.ok(ended);
});

test("plain data is copied, and what is undefined is left out", () => {
  const given = { a: [1, { b: null }], c: undefined, d: true };
  const copy = plainData(given, "options");
  assert.deepEqual(copy, { a: [1, { b: null }], d: true });
  assert.notEqual(copy.a, given.a);
  assert.ok(!("c" in copy));
});

test("any whole number of 64 bits is a seed, and arrives with all its digits", async () => {
  const { model, started } = await load();
  for (const [seed, digits] of [
    [7, "7"],
    [0, "0"],
    [-0, "0"],
    [-1, "18446744073709551615"],
    [-(2 ** 31), "18446744071562067968"],
    [2 ** 53, "9007199254740992"],
    [2 ** 63, "9223372036854775808"],
    [5n, "5"],
    [-(2n ** 63n), "9223372036854775808"],
    [2n ** 63n - 1n, "9223372036854775807"],
    [2n ** 64n - 1n, "18446744073709551615"],
  ]) {
    assert.equal(await drain(model.generate("a", { seed })), "a");
    assert.match(started.at(-1), new RegExp(`"seed":${digits}[,}]`), String(seed));
    JSON.parse(started.at(-1));
  }
  for (const options of [{}, { seed: undefined }, { seed: null }]) {
    await drain(model.generate("a", options));
    assert.doesNotMatch(started.at(-1), /seed/);
  }
  for (const seed of [1.5, NaN, Infinity, "7", 2n ** 64n, -(2n ** 63n) - 1n, 1e300, true]) {
    await assert.rejects(drain(model.generate("a", { seed })), bad(/^seed: expected a whole number/));
  }
});
