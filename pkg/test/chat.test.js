// Messages and saved conversations on their way to the core, over a real message channel.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { Connection } from "../modules/connection.js";
import { Host } from "../modules/host.js";
import { loadRequest, loadThrough } from "../modules/load.js";
import { fakeCore } from "./fake_engine.js";

const open = [];
afterEach(() => open.splice(0).forEach((port) => port.close()));

/** A folder of OPFS as far as conversations use one. */
function folder({ atomic = true, full = false } = {}) {
  const entries = new Map();
  const missing = () => new DOMException("no such entry", "NotFoundError");
  const file = (name) => {
    const write = (bytes) => {
      if (full) throw new DOMException("no room", "QuotaExceededError");
      entries.set(name, bytes.slice());
    };
    const handle = {
      getFile: async () => new File([entries.get(name)], name),
      createSyncAccessHandle: async () => ({ truncate() {}, write, flush() {}, close() {} }),
    };
    return atomic ? { ...handle, createWritable: async () => ({ write: async (bytes) => write(bytes), close: async () => {} }) } : handle;
  };
  return {
    entries,
    getDirectoryHandle: async (name) => {
      if (!entries.has(name)) entries.set(name, folder({ atomic, full }));
      return entries.get(name);
    },
    getFileHandle: async (name, { create = false } = {}) => {
      if (!create && !entries.has(name)) throw missing();
      return file(name);
    },
  };
}

async function load(store = folder(), options = {}) {
  const { core, log } = fakeCore();
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
  const model = loadThrough(connection, loadRequest(new File([new Uint8Array(10)], "m.gguf"), options), {});
  return { model: await model.catch((error) => Promise.reject(Object.assign(error, { log }))), log };
}

async function text(generation) {
  const pieces = [];
  for await (const piece of generation) pieces.push(piece.text);
  return pieces.join(" ");
}

const code = (expected) => (error) => {
  assert.equal(error.code, expected, error.stack);
  return true;
};

test("messages go to the core as role and content alone", async () => {
  const { model, log } = await load();
  const messages = [
    { role: "user", content: "one", id: 7 },
    { role: "assistant", content: "two three" },
  ];
  const generation = model.chat(messages, { maxTokens: 9 });
  assert.equal(await text(generation), "two three");
  assert.deepEqual(log.messages, [{ role: "user", content: "one" }, { role: "assistant", content: "two three" }]);
  assert.equal(generation.stats.cachedTokens, 0);
});

test("messages that are none are refused before anything runs", async () => {
  const { model } = await load();
  for (const wrong of [[], [{ role: "user" }], [{ role: "user", content: [{ type: "text", text: "a" }] }], [{ content: "a" }]]) {
    assert.throws(() => model.chat(wrong), code("ERR_BAD_ARGUMENT"));
  }
});

test("a conversation is kept under any name and found again", async () => {
  for (const atomic of [true, false]) {
    const store = folder({ atomic });
    const { model, log } = await load(store);
    const names = ["plain", "with/slash", "..", "dé ☃ * ?", "a".repeat(200)];
    for (const name of names) {
      await text(model.generate(`said in ${name}`));
      await model.save(name);
    }
    for (const name of names) {
      assert.equal(await model.restore(name), true);
      assert.equal(log.imported, `said in ${name}`);
    }
    await text(model.generate("later"));
    await model.save("plain");
    assert.equal(await model.restore("plain"), true);
    assert.equal(log.imported, "later", "one of the same name is replaced");
    assert.equal(await model.restore("never saved"), false);
    const kept = store.entries.get("rushlight").entries.get("conversations").entries;
    assert.equal(kept.size, names.length);
    assert.ok([...kept.keys()].every((name) => /^[\w%-]+\.kv$/.test(name)));
  }
});

test("names that no file could have, and a store that is full, are said", async () => {
  const { model } = await load(folder({ full: true }));
  for (const wrong of ["", "x".repeat(300), "\ud800", undefined]) {
    await assert.rejects(() => model.save(wrong), code("ERR_BAD_ARGUMENT"));
    await assert.rejects(() => model.restore(wrong), code("ERR_BAD_ARGUMENT"));
  }
  await text(model.generate("a"));
  await assert.rejects(model.save("a"), code("ERR_QUOTA"));
});

test("a conversation is taken up from a file, and a bad one refused", async () => {
  const { model, log } = await load();
  await model.restoreFrom(new File(["a frame"], "frame.kv"));
  assert.equal(log.imported, "a frame");
  await assert.rejects(model.restoreFrom(new File([], "empty.kv")), code("ERR_BAD_FILE"));
});

test("a prefix is taken up when the model is there, and one that is not its own fails the load", async () => {
  const { log, model } = await load(undefined, { prefix: new File(["a frame"], "frame.kv") });
  assert.equal(log.imported, "a frame");
  assert.equal(log.freed, 0);
  assert.equal(await text(model.generate("a frame and more")), "a frame and more");
  for (const [content, expected] of [["other", "ERR_OTHER_MODEL"], ["", "ERR_BAD_FILE"]]) {
    await assert.rejects(load(undefined, { prefix: new File([content], "frame.kv") }), (error) => code(expected)(error) && error.log.freed === 1);
  }
});
