// What is kept, and what happens where it can't be: disks that are full or broken load without storing, and say so.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { cache } from "../modules/cache.js";
import { Connection } from "../modules/connection.js";
import { conversations, readConversation, writeConversation } from "../modules/conversations.js";
import { planLoad } from "../modules/create.js";
import { Host } from "../modules/host.js";
import { loadRequest, loadThrough } from "../modules/load.js";
import { Progress } from "../modules/progress.js";
import { collect, open, openSmall } from "../modules/source.js";
import { content, Disk, joined, SharedLocks, startServer, Tab } from "./arrival_support.js";
import { fakeCore } from "./fake_engine.js";

let server;
before(async () => (server = await startServer()));
after(() => server.close());
beforeEach(() => {
  server.state.fault = () => undefined;
  server.state.log.length = 0;
});
afterEach(() => {
  delete globalThis.navigator;
});

const FILE = content(1, 50_321);
const never = () => new AbortController().signal;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const full = (name) => () => {
  throw new DOMException(`${name}: no room`, "QuotaExceededError");
};

/** Loads a file as the host does; what arrived, and why it is not kept. */
async function load(tab, url, { cache: choice = null, cacheKey, sha256 = null, onWaiting } = {}) {
  const request = { cache: choice, sha256, manifest: null, connections: 4, ...(cacheKey === undefined ? {} : { cacheKey }) };
  const incoming = await open({ url }, never(), request, tab.world, null, onWaiting);
  const parts = [];
  const take = async ({ chunks }) => {
    for await (const chunk of chunks) parts.push(chunk.slice());
  };
  await take(incoming);
  for (const openPart of incoming.furtherParts) await take(await openPart());
  return { bytes: joined(parts), unkept: incoming.unkept(), cached: incoming.cached() };
}

/** A disk whose operation fails from the nth time on, or only then. */
function breaking(operation, from, { name = "QuotaExceededError", always = true } = {}) {
  let left = from;
  const fail = (work) => (...given) => {
    if (left-- === 0 || (always && left < 0)) throw new DOMException(`${operation} failed`, name);
    return work(...given);
  };
  return (tab) => {
    const { folder } = tab;
    if (operation in folder) folder[operation] = fail(folder[operation]);
    const { open: opened } = folder;
    folder.open = async (file) => {
      const handle = await opened(file);
      return operation in handle ? { ...handle, [operation]: fail(handle[operation]) } : handle;
    };
    return tab;
  };
}

const OPERATIONS = ["open", "write", "truncate", "flush", "remove", "read", "size", "snapshot", "names"];

for (const operation of OPERATIONS) {
  test(`a store whose ${operation} fails at any time: the file is loaded, and it is said whether it is kept`, async () => {
    for (const [begun, seed] of [[false, 1], [true, 2]]) {
      for (const from of [0, 1, 2, 3, 5, 9]) {
        for (const failure of [{}, { name: "UnknownError", always: false }]) {
          const url = server.put("/broken.gguf", FILE, { etag: `"${seed}"` });
          const disk = new Disk();
          if (begun) {
            const controller = new AbortController();
            const onChunk = (_, count) => count === 10 && controller.abort();
            await assert.rejects(new Tab({ disk }).load(url, { signal: controller.signal, onChunk }));
          }
          const { bytes, unkept } = await load(breaking(operation, from, failure)(new Tab({ disk })), url);
          const what = `${operation} ${from} ${JSON.stringify(failure)} ${begun}`;
          assert.ok(Buffer.from(bytes).equals(FILE), `${what}: ${bytes.length} bytes`);
          const kept = (await new Tab({ disk }).store.list()).some(({ complete }) => complete);
          if (unkept === undefined) assert.ok(kept, `${what}: it is said to be kept`);
          else assert.match(unkept, /storage|room|damaged/, what);
          // Whatever is left there harms nobody.
          assert.ok(Buffer.from((await load(new Tab({ disk }), url)).bytes).equals(FILE), `${what}: the next load`);
        }
      }
    }
  });
}

test("a stored file whose reading fails is fetched", async () => {
  const url = server.put("/stored.gguf", FILE);
  for (const damaged of [false, true]) {
    const disk = new Disk();
    await new Tab({ disk }).load(url);
    const [data] = [...disk.files].filter(([name]) => name.endsWith(".data")).map(([, file]) => file);
    if (damaged) data.now[20_000] ^= 1;
    for (const operation of ["snapshot", "open", "read", "write"]) {
      for (let from = 0; from < 4; from++) {
        const { bytes } = await load(breaking(operation, from)(new Tab({ disk })), url);
        assert.ok(Buffer.from(bytes).equals(FILE), `${operation} ${from}`);
      }
    }
  }
});

test("a disk that is full: loaded and told, unless keeping is insisted on", async () => {
  const url = server.put("/big.gguf", content(3, 900_000));
  const small = { quota: 100_000 };
  const { bytes, unkept } = await load(new Tab(small), url);
  assert.equal(bytes.length, 900_000);
  assert.match(unkept, /room/);
  await assert.rejects(load(new Tab(small), url, { cache: "opfs" }), { code: "ERR_QUOTA" });
  const none = await load({ world: { ...new Tab().world, store: undefined, unkept: "this browser keeps no files" } }, url);
  assert.deepEqual([none.bytes.length, none.unkept], [900_000, "this browser keeps no files"]);
});

test("locks that are refused, and a journal that is no journal, are no end of a load", async () => {
  const url = server.put("/locks.gguf", FILE);
  const tab = new Tab();
  tab.store.lock = () => Promise.reject(new DOMException("not here", "SecurityError"));
  const { bytes, unkept } = await load(tab, url);
  assert.ok(Buffer.from(bytes).equals(FILE));
  assert.match(unkept, /not here/);
  for (const damage of [(file) => file.now.fill(7), (file) => (file.now = new Uint8Array(0)), (file) => file.now.fill(0, 5, 40), (file) => (file.now = file.now.slice(0, 100))]) {
    const disk = new Disk();
    await load(new Tab({ disk }), url);
    for (const [name, file] of disk.files) if (name.endsWith(".journal")) damage(file);
    const again = await load(new Tab({ disk }), url);
    assert.ok(Buffer.from(again.bytes).equals(FILE));
    assert.equal(again.unkept, undefined);
    assert.equal((await new Tab({ disk }).store.list())[0].complete, true);
  }
});

function connect(core) {
  const { port1, port2 } = new MessageChannel();
  new Host(port2, {
    core,
    lendThreads: async () => {},
    askAdapter: async () => ({ missing: "" }),
    openStore: async () => undefined,
    yieldToEvents: async () => {},
  });
  return new Connection(port1, () => port1.close());
}

test("the model says whether it is kept, and why not", async () => {
  const url = server.put("/info.gguf", FILE);
  for (const [from, options, reason] of [
    [url, {}, /keeps no files/],
    [url, { cache: "none" }, /asked for/],
    [new File([FILE], "m.gguf"), {}, /visitor chose/],
  ]) {
    const model = await loadThrough(connect(fakeCore().core), loadRequest(from, options), {});
    assert.equal(model.info.cached, false);
    assert.match(model.info.cacheReason, reason);
    model.dispose();
  }
  await assert.rejects(loadThrough(connect(fakeCore().core), loadRequest(url, { cache: "opfs" }), {}), { code: "ERR_STORAGE" });
});

test("a signed address is one file under its key, which plans and further files share", async () => {
  const signed = (path, at) => server.put(`${path}?sig=${at}`, FILE);
  const tab = new Tab();
  assert.equal((await load(tab, signed("/s.gguf", 1), { cacheKey: "small" })).cached, 0);
  server.state.log.length = 0;
  assert.equal((await load(tab, signed("/s.gguf", 2), { cacheKey: "small" })).cached, FILE.length);
  assert.ok(server.sent("/s.gguf?sig=2") <= 1);
  assert.deepEqual((await tab.store.list()).map(({ url }) => url), ["small"]);
  const plans = (url, options) => {
    const surroundings = { core: fakeCore().core, lendThreads: async () => {}, askAdapter: async () => ({}), yieldToEvents: async () => {} };
    return planLoad({ ...loadRequest(url, options), backend: "cpu" }, never(), surroundings, tab.world);
  };
  assert.equal((await plans(signed("/s.gguf", 3), { cacheKey: "small" })).fetchBytes, 0);
  assert.equal((await plans(signed("/s.gguf", 3), {})).fetchBytes, FILE.length);
  // A new version, under the same key.
  const next = content(8, 40_000);
  assert.ok(Buffer.from((await load(tab, server.put("/s.gguf?sig=4", next), { cacheKey: "small" })).bytes).equals(next));
  assert.equal((await tab.store.list()).length, 1);
  for (const cacheKey of ["", 7, "x".repeat(3000), null]) assert.throws(() => loadRequest("http://h/m", { cacheKey }), { code: "ERR_BAD_ARGUMENT" });
});

test("the parts of a split model, and what lies beside weights, have names within the model's key", async () => {
  const tab = new Tab();
  const parts = [content(4, 3000), content(5, 2000)];
  const put = (at) => parts.map((part, index) => server.put(`/k-0000${index + 1}-of-00002.gguf?sig=${at}`, part))[0];
  assert.ok(Buffer.from((await load(tab, put(1), { cacheKey: "split" })).bytes).equals(joined(parts)));
  assert.deepEqual((await tab.store.list()).map(({ url }) => url).sort(), ["split", "split#2"]);
  assert.equal((await load(tab, put(2), { cacheKey: "split" })).cached, 5000);
  const text = (value) => Buffer.from(value);
  const folder = (at) => ({
    model: { url: server.put(`/f/model.safetensors?sig=${at}`, FILE) },
    config: { url: server.put(`/f/config.json?sig=${at}`, text("{}")) },
    tokenizer: { url: server.put(`/f/tokenizer.json?sig=${at}`, text("[]")) },
    sentence: undefined,
    pooling: { url: server.put(`/f/pooling.json?sig=${at}`, text("1")) },
  });
  const request = { cache: null, sha256: null, manifest: null, connections: 2, cacheKey: "embedder" };
  for (const at of [1, 2]) {
    const source = { files: folder(at) };
    const incoming = await open(source, never(), request, tab.world);
    assert.deepEqual(incoming.files, { config: "{}", tokenizer: "[]", sentence: null, pooling: "1" });
    await collect(incoming);
    await collect(await openSmall({ url: server.put(`/f.prefix?sig=${at}`, text("a frame")) }, { source, arrival: request }, never(), tab.world, "prefix"));
  }
  const keys = (await tab.store.list()).map(({ url }) => url).filter((url) => url.startsWith("embedder")).sort();
  assert.deepEqual(keys, ["embedder", "embedder#config", "embedder#pooling", "embedder#prefix", "embedder#tokenizer"]);
});

test("the second part of a split model names the first, and endings may be in capitals", async () => {
  const first = server.put("/C-00001-of-00002.GGUF", FILE);
  server.put("/C-00002-of-00002.GGUF", FILE);
  assert.equal((await load(new Tab(), first)).bytes.length, 2 * FILE.length);
  const named = (error) => error.code === "ERR_BAD_ARGUMENT" && /part 2 of 2.*C-00001-of-00002\.GGUF/.test(error.message);
  await assert.rejects(load(new Tab(), first.replace("00001-of", "00002-of")), named);
  await assert.rejects(open({ file: new File([FILE], "C-00002-of-00002.GGUF") }, never(), undefined, new Tab().world), named);
});

test("a tab that waits for another's download shows how far that is, and never goes back", async () => {
  const url = server.put("/shared.gguf", FILE);
  server.state.fault = () => ({ drip: 20 });
  const shared = { disk: new Disk(), locks: new SharedLocks() };
  const tabs = [new Tab(shared), new Tab(shared)];
  for (const tab of tabs) tab.world.patience = { ...tab.world.patience, waitingMs: 10 };
  const seen = [];
  const progress = new Progress((now) => seen.push(now));
  const first = load(tabs[0], url);
  await pause(5);
  const second = await load(tabs[1], url, { onWaiting: progress.waiting.bind(progress) });
  await first;
  assert.equal(second.cached, FILE.length);
  assert.ok(seen.length > 3, `${seen.length} times`);
  assert.ok(seen.some(({ loaded }) => loaded > 0 && loaded < FILE.length));
  const waiting = seen.length;
  progress.begin({ total: FILE.length, cached: () => 0 });
  for (let at = 0; at < FILE.length; at += 1000) progress.add(Math.min(1000, FILE.length - at));
  progress.end();
  for (const [index, { loaded, total }] of seen.entries()) {
    assert.ok(loaded >= (seen[index - 1]?.loaded ?? 0) && loaded <= total);
    assert.equal(seen[index].waiting, index < waiting ? true : undefined);
  }
  assert.deepEqual(seen.at(-1), { loaded: FILE.length, cached: 0, total: FILE.length });
});

/** A folder of OPFS in memory; `kind` is what its files can do, `fail` what happens within a write. */
function opfs({ kind = "stream", fail } = {}) {
  const files = new Map();
  const missing = () => new DOMException("no such entry", "NotFoundError");
  const handle = (name) => {
    const sync = async () => ({
      truncate: (size) => void files.set(name, files.get(name).slice(0, size)),
      write: (bytes) => {
        const written = fail?.(bytes) ?? bytes.length;
        files.set(name, bytes.slice(0, written));
        if (fail?.throws) throw new DOMException("the process is gone", "UnknownError");
        return written;
      },
      flush() {},
      close() {},
    });
    return {
      getFile: async () => new File([files.get(name)], name, { lastModified: 1000 + [...files.keys()].indexOf(name) }),
      createSyncAccessHandle: sync,
      ...(kind === "move" && { move: async (to) => (files.set(to, files.get(name)), files.delete(name)) }),
      ...(kind === "stream" && { createWritable: async () => {
        let written = new Uint8Array(0);
        return { write: async (bytes) => void (written = bytes.slice(0, fail?.(bytes) ?? bytes.length)), close: async () => {
          if (written.length < (fail === undefined ? 0 : Infinity)) throw new DOMException("no room", "QuotaExceededError");
          files.set(name, written);
        } };
      } }),
    };
  };
  const folder = {
    files,
    getDirectoryHandle: async () => folder,
    getFileHandle: async (name, { create = false } = {}) => {
      if (!files.has(name) && !create) throw missing();
      if (!files.has(name)) files.set(name, new Uint8Array(0));
      return handle(name);
    },
    removeEntry: async (name) => {
      if (!files.delete(name)) throw missing();
    },
    async *keys() {
      yield* [...files.keys()];
    },
  };
  return folder;
}

const bytesOf = (text) => new TextEncoder().encode(text);

for (const kind of ["stream", "move"]) {
  test(`a conversation that was half written is none, and the one before it stays (${kind})`, async () => {
    const root = opfs({ kind });
    await writeConversation(root, "a", bytesOf("the first one"));
    const half = (bytes) => Math.floor(bytes.length / 2);
    for (const fail of [half, Object.assign((bytes) => half(bytes), { throws: true })]) {
      const broken = opfs({ kind, fail });
      for (const [name, bytes] of root.files) broken.files.set(name, bytes);
      await assert.rejects(writeConversation(broken, "a", bytesOf("the second one")), (error) => /ERR_QUOTA|ERR_STORAGE/.test(error.code));
      await assert.rejects(writeConversation(broken, "new", bytesOf("another one")));
      assert.deepEqual(await readConversation(broken, "a"), bytesOf("the first one"));
      assert.equal(await readConversation(broken, "new"), undefined);
    }
    await writeConversation(root, "a", bytesOf("the second one"));
    assert.deepEqual(await readConversation(root, "a"), bytesOf("the second one"));
    assert.equal(root.files.size, 1);
  });
}

test("a short write where nothing can be renamed is an error", async () => {
  await assert.rejects(writeConversation(opfs({ kind: "plain", fail: () => 3 }), "a", bytesOf("too long")), { code: "ERR_QUOTA" });
});

test("conversations are listed by their names, the last one first, and deleted", async () => {
  for (const kind of ["stream", "move"]) {
    const root = opfs({ kind });
    globalThis.navigator = { storage: { getDirectory: async () => root } };
    const names = ["plain", "with/slash", "..", "dé ☃ * ?"];
    for (const name of names) await writeConversation(root, name, bytesOf(name));
    root.files.set("left.kv.new", bytesOf("half"));
    root.files.set("%zz.kv", bytesOf("not ours"));
    const listed = await conversations.list();
    assert.deepEqual(listed.map(({ name }) => name), names.toReversed());
    assert.deepEqual(listed.at(-1), { name: "plain", bytes: 5, saved: 1000 });
    assert.equal(await conversations.delete(".."), true);
    assert.equal(await conversations.delete(".."), false);
    assert.deepEqual((await conversations.list()).map(({ name }) => name), names.filter((name) => name !== "..").toReversed());
    await assert.rejects(conversations.delete(""), { code: "ERR_BAD_ARGUMENT" });
  }
});

test("a storage that fails while it is listed is an error with a code", async () => {
  const root = opfs();
  root.keys = full("keys");
  globalThis.navigator = { storage: { getDirectory: async () => root }, locks: {} };
  await assert.rejects(conversations.list(), { code: "ERR_QUOTA" });
  await assert.rejects(cache.list(), { code: "ERR_QUOTA" });
});
