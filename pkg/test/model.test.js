// Page side and worker side together over a real message channel, with an engine that needs no wasm.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Connection } from "../modules/connection.js";
import { Host } from "../modules/host.js";
import { loadRequest, loadThrough } from "../modules/load.js";
import { content, startServer } from "./arrival_support.js";
import { fakeCore } from "./fake_engine.js";

const open = [];
afterEach(() => open.splice(0).forEach((port) => port.close()));

/** A connection to a host with a fake engine. */
function connect(options, adapter = { missing: "no GPU in this test" }) {
  const { core, log } = fakeCore(options);
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  const state = { terminated: false, lent: [] };
  new Host(port2, {
    core,
    lendThreads: async (count) => void state.lent.push(count),
    askAdapter: async () => adapter,
    openStore: () => Promise.reject(new Error("no store in this test")),
    yieldToEvents: () => new Promise((resolve) => setTimeout(resolve, 0)),
  });
  const connection = new Connection(port1, () => {
    state.terminated = true;
    port1.close();
  });
  return { connection, log, state };
}

function load({ connection }, file = new File([new Uint8Array(10)], "model.gguf"), options = {}) {
  return loadThrough(connection, loadRequest(file, options), options);
}

async function collect(generation) {
  const pieces = [];
  for await (const piece of generation) pieces.push(piece.text);
  return pieces;
}

const code = (expected) => (error) => {
  assert.equal(error.code, expected, error.stack);
  return true;
};

test("a file is loaded in bounded chunks, with progress to its last byte", async () => {
  const peer = connect();
  const seen = [];
  const bytes = 9 * 2 ** 20;
  const model = await load(peer, new File([new Uint8Array(bytes)], "m.gguf"), { onProgress: (p) => seen.push(p) });
  assert.equal(peer.log.pushed, bytes);
  assert.ok(peer.log.largest <= 4 * 2 ** 20);
  assert.deepEqual(seen.at(-1), { loaded: bytes, cached: 0, total: bytes });
  assert.equal(model.info.architecture, "fake");
  assert.equal(model.info.bytes, bytes);
  const memory = await model.memory();
  assert.equal(memory.weights, bytes);
  assert.ok(memory.wasmAfterHeader > 0 && memory.wasmAfterHeader <= memory.wasm);
});

test("the core is told of the adapter and of the length of the file", async () => {
  const adapter = { name: "Some GPU", software: false };
  const peer = connect({}, { adapter });
  await load(peer, undefined, { backend: "gpu", kv: "f32", context: 512, threads: 3, precision: "fast" });
  const asked = { backend: "gpu", precision: "fast", kv: "f32", context: 512, threads: 3 };
  assert.deepEqual(peer.log.options, { ...asked, adapter, fileBytes: 10, files: null });
});

test("the pool is lent as many threads as it has room for", async () => {
  const peer = connect({ vacancies: 3 });
  await load(peer);
  assert.deepEqual(peer.state.lent, [3]);
});

test("without an adapter auto takes the CPU and says why, and gpu fails", async () => {
  const peer = connect();
  const model = await load(peer, undefined, { backend: "auto" });
  assert.equal(peer.log.options.backend, "cpu");
  assert.equal(model.info.backend.reason, "no GPU in this test");
  await assert.rejects(load(connect(), undefined, { backend: "gpu" }), code("ERR_NO_BACKEND"));
});

test("pieces come in order and the statistics at the end", async () => {
  const model = await load(connect());
  const generation = model.generate("one two three");
  assert.equal(generation.stats, undefined);
  assert.deepEqual(await collect(generation), ["one", "two", "three"]);
  assert.equal(generation.stats.tokens, 3);
  assert.equal(generation.stats.reason, "stop");
});

test("text that was held back comes as a last piece without a token", async () => {
  const model = await load(connect({ heldBack: "end" }));
  const pieces = [];
  for await (const piece of model.generate("a")) pieces.push([piece.id, piece.text]);
  assert.deepEqual(pieces, [[0, "a"], [null, "end"]]);
});

test("a second answer waits for the first", async () => {
  const model = await load(connect({ stepMs: 2 }));
  const order = [];
  const run = async (name, prompt) => {
    for await (const piece of model.generate(prompt)) order.push(name + piece.text);
  };
  await Promise.all([run("a", "1 2 3"), run("b", "1 2")]);
  assert.deepEqual(order, ["a1", "a2", "a3", "b1", "b2"]);
});

test("an abort ends an answer at once, the worker stops too, and the model stays usable", async () => {
  const peer = connect({ stepMs: 5 });
  const model = await load(peer);
  const controller = new AbortController();
  const words = "w ".repeat(500).trim();
  await assert.rejects(async () => {
    for await (const piece of model.generate(words, { signal: controller.signal })) {
      if (piece.id === 2) controller.abort();
    }
  }, (error) => error.name === "AbortError" && code("ERR_ABORTED")(error));
  await model.memory(); // Answered only when the worker has left the answer.
  assert.ok(peer.log.steps < 10, `${peer.log.steps} steps`);
  assert.deepEqual(await collect(model.generate("still here")), ["still", "here"]);
});

test("leaving the loop ends the answer", async () => {
  const peer = connect({ stepMs: 5 });
  const model = await load(peer);
  for await (const piece of model.generate("w ".repeat(500).trim())) if (piece.id === 1) break;
  await model.memory();
  assert.ok(peer.log.steps < 10, `${peer.log.steps} steps`);
});

test("an answer that waits for its turn can be aborted", async () => {
  const peer = connect({ stepMs: 5 });
  const model = await load(peer);
  const controller = new AbortController();
  const first = collect(model.generate("1 2 3 4 5 6 7 8"));
  const second = collect(model.generate("never", { signal: controller.signal }));
  setTimeout(() => controller.abort(), 10);
  await assert.rejects(second, code("ERR_ABORTED"));
  assert.equal((await first).length, 8);
  await model.memory();
  assert.equal(peer.log.steps, 9);
});

test("an aborted load ends the worker and closes the stream", async () => {
  const peer = connect();
  const controller = new AbortController();
  let closed = false;
  const file = new File([], "endless.gguf");
  file.stream = () =>
    new ReadableStream({
      pull: async (sink) => {
        await new Promise((resolve) => setTimeout(resolve, 2));
        sink.enqueue(new Uint8Array(1000));
      },
      cancel: () => void (closed = true),
    });
  // A message would copy the file, so the host gets this one directly.
  const request = loadRequest(file, {});
  const { Host: Direct } = await import("../modules/host.js");
  const { core } = fakeCore();
  const replies = [];
  const channel = { postMessage: (reply) => replies.push(reply), onmessage: null };
  new Direct(channel, { core, lendThreads: async () => {}, askAdapter: async () => ({ missing: "" }), yieldToEvents: async () => {} });
  channel.onmessage({ data: { type: "load", id: 7, request } });
  setTimeout(() => channel.onmessage({ data: { type: "cancel", id: 7 } }), 20);
  while (!replies.some((r) => r.type === "error")) await new Promise((resolve) => setTimeout(resolve, 2));
  assert.equal(replies.at(-1).error.code, "ERR_ABORTED");
  assert.ok(closed);

  // On the page an abort ends the whole worker, and does not wait for it.
  const waiting = load(peer, undefined, { signal: controller.signal });
  controller.abort(new Error("user left"));
  await assert.rejects(waiting, (error) => code("ERR_ABORTED")(error) && error.cause.message === "user left");
  assert.ok(peer.state.terminated);
});

test("the core's errors keep their code, and a failed load ends the worker", async () => {
  const peer = connect({ failPush: "ERR_BAD_FILE" });
  await assert.rejects(load(peer), code("ERR_BAD_FILE"));
  assert.ok(peer.state.terminated);
  await assert.rejects(load(connect(), new File([new Uint8Array(2)], "short.gguf")), code("ERR_BAD_FILE"));
});

test("a trap ends the model with the panic's words, or as out of memory where there was no panic", async () => {
  for (const [panic, expected] of [["index out of bounds", "ERR_INTERNAL"], [undefined, "ERR_OUT_OF_MEMORY"]]) {
    const model = await load(connect({ trap: { after: 1, panic } }));
    await assert.rejects(collect(model.generate("a b c")), code(expected));
    await assert.rejects(model.memory(), code(expected));
  }
});

test("after dispose everything fails with ERR_DISPOSED", async () => {
  const peer = connect();
  const model = await load(peer);
  const answer = collect(model.generate("a b c d"));
  model.dispose();
  await assert.rejects(answer, code("ERR_DISPOSED"));
  await assert.rejects(model.tokenize("x"), code("ERR_DISPOSED"));
  assert.ok(peer.state.terminated);
});

test("options out of range are named", () => {
  const file = new File([], "m.gguf");
  assert.throws(() => loadRequest(file, { backend: "tpu" }), /backend: expected one of auto, gpu, cpu, got tpu/);
  for (const wrong of [{ context: -1 }, { threads: 0 }, { threads: 1.5 }, { build: "small" }, { precision: "best" }]) {
    assert.throws(() => loadRequest(file, wrong), code("ERR_BAD_ARGUMENT"));
  }
});

test("tokens cross both ways", async () => {
  const model = await load(connect());
  assert.deepEqual(await model.tokenize("ab"), [97, 98]);
  assert.equal(await model.detokenize([97, 98]), "ab");
});

test("the files of a model in safetensors arrive beside its weights", async () => {
  const peer = connect();
  const blob = (text) => new File([text], "file");
  const files = { model: new File([new Uint8Array(10)], "model.safetensors"), config: blob("{}"), tokenizer: blob("[é]"), pooling: blob("1") };
  const model = await load(peer, files);
  assert.deepEqual(peer.log.options.files, { config: "{}", tokenizer: "[é]", sentence: null, pooling: "1" });
  assert.equal(peer.log.options.precision, "exact");
  assert.equal(peer.log.pushed, 10);
  const vectors = await model.embed(["one", "three"]);
  assert.deepEqual(vectors, [Float32Array.of(3, 1), Float32Array.of(5, 1)]);
  assert.deepEqual(await model.embed([]), []);
});

test("an abort ends an embedding, and the model stays usable", async () => {
  const model = await load(connect({ stepMs: 50 }));
  const controller = new AbortController();
  const waiting = model.embed(["a"], { signal: controller.signal });
  setTimeout(() => controller.abort(), 10);
  await assert.rejects(waiting, code("ERR_ABORTED"));
  assert.equal((await model.embed(["ab"]))[0][0], 2);
});

test("the parts of a split model reach the core one after the other, with progress over all of them", async () => {
  const server = await startServer();
  try {
    const parts = [content(1, 3000), content(2, 1000)];
    const [url] = parts.map((part, index) => server.put(`/m-0000${index + 1}-of-00002.gguf`, part));
    const peer = connect();
    const seen = [];
    const model = await loadThrough(peer.connection, { ...loadRequest(new File([], ""), {}), source: { url } }, { onProgress: (p) => seen.push(p) });
    assert.equal(peer.log.pushed, 4000);
    assert.deepEqual(peer.log.parts, [1000]);
    assert.equal(peer.log.options.fileBytes, 3000);
    assert.deepEqual(seen.at(-1), { loaded: 4000, cached: 0, total: 4000 });
    assert.equal(model.info.bytes, 4000);
  } finally {
    server.close();
  }
});

test("how files arrive can be said, and nonsense is refused", () => {
  globalThis.document = { baseURI: "http://page/folder/" };
  try {
    const arrival = (options) => loadRequest("m.gguf", options).arrival;
    assert.deepEqual(arrival({}), { cache: null, sha256: null, manifest: null, connections: 4 });
    const hash = "AB".repeat(32);
    const asked = { cache: "none", sha256: hash, manifest: "m.json", connections: 99 };
    assert.deepEqual(arrival(asked), { cache: "none", sha256: hash.toLowerCase(), manifest: "http://page/folder/m.json", connections: 16 });
    assert.equal(arrival({ manifest: "auto" }).manifest, "auto");
    for (const wrong of [{ cache: "disk" }, { sha256: "12" }, { connections: 0 }, { connections: 1.5 }, { manifest: "http://" }]) {
      assert.throws(() => arrival(wrong), code("ERR_BAD_ARGUMENT"), JSON.stringify(wrong));
    }
  } finally {
    delete globalThis.document;
  }
});
