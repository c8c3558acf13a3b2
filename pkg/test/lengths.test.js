// Lengths that servers announce and bodies contradict, as a page of another origin sees them: without Content-Encoding, mostly without
// Content-Range. What is loaded is the file as it is, and so is what is stored as complete, or there is an error and nothing is stored.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { gzipSync } from "node:zlib";

import { beginningOf } from "../modules/arrival/beginning.js";
import { agree } from "../modules/arrival/remote.js";
import { Connection } from "../modules/connection.js";
import { Host } from "../modules/host.js";
import { loadRequest, loadThrough } from "../modules/load.js";
import { open } from "../modules/source.js";
import { content, Disk, hashOf, joined, manifestOf, Tab } from "./arrival_support.js";
import { fakeCore } from "./fake_engine.js";

/** One that becomes a tenth when it is compressed, and one that becomes longer. */
const SMALL = Uint8Array.from({ length: 50_321 }, (_, at) => Math.floor(at / 1000));
const LARGE = content(1, 50_321);

/** How the server answers: `({ method, range, file })` gives status, headers and body. */
let answer;
let file;
const log = [];
const server = createServer((request, response) => {
  const asked = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const range = asked === null ? undefined : [Number(asked[1]), asked[2] === "" ? file.length : Math.min(file.length, Number(asked[2]) + 1)];
  log.push([request.method, request.headers.range]);
  const { status = 200, headers = {}, body = new Uint8Array(0) } = answer({ method: request.method, range, file });
  response.writeHead(status, { "content-length": body.length, ...headers });
  response.end(request.method === "HEAD" ? undefined : body);
});
before(() => new Promise((resolve) => server.listen(0, "127.0.0.1", resolve)));
after(() => server.closeAllConnections() ?? server.close());
beforeEach(() => {
  log.length = 0;
});
const at = (path = "/model.gguf") => `http://127.0.0.1:${server.address().port}${path}`;

/** What of an answer a page of another origin sees, and no more than is exposed. */
const hiding = (exposed = []) => async (url, init) => {
  const response = await fetch(url, init);
  const shown = ["cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma", ...exposed];
  const headers = new Headers([...response.headers].filter(([name]) => shown.includes(name)));
  return new Response(init.method === "HEAD" ? null : response.body, { status: response.status, headers });
};

const tab = (exposed, options) => new Tab({ fetch: hiding(exposed), ...options });

const part = ({ range: [start, end], file }) =>
  start >= file.length
    ? { status: 416, headers: { "content-range": `bytes */${file.length}` } }
    : { status: 206, headers: { "content-range": `bytes ${start}-${end - 1}/${file.length}` }, body: file.subarray(start, end) };
const zipped = ({ file }) => ({ headers: { "content-encoding": "gzip" }, body: gzipSync(file) });
const whole = ({ file }) => ({ body: file });
const sized = (length) => ({ headers: { "content-length": length } });

/** Servers by what they do; each gives the whole file to whoever asks in the right way. */
const SERVERS = {
  "everything is compressed on the fly": zipped,
  "only whole files are compressed, and HEAD too": (asked) => (asked.range !== undefined && asked.method === "GET" ? part(asked) : zipped(asked)),
  "HEAD says the compressed length, nothing is compressed": (asked) =>
    asked.method === "HEAD" ? sized(gzipSync(asked.file).length) : asked.range === undefined ? whole(asked) : part(asked),
  "HEAD says too little": (asked) => (asked.method === "HEAD" ? sized(4000) : asked.range === undefined ? whole(asked) : part(asked)),
  "HEAD says one too little": (asked) => (asked.method === "HEAD" ? sized(asked.file.length - 1) : asked.range === undefined ? whole(asked) : part(asked)),
  "HEAD says one too much": (asked) => (asked.method === "HEAD" ? sized(asked.file.length + 1) : asked.range === undefined ? whole(asked) : part(asked)),
  "HEAD says far too much": (asked) => (asked.method === "HEAD" ? sized(1e9) : asked.range === undefined ? whole(asked) : part(asked)),
  "HEAD says nothing": (asked) => (asked.method === "HEAD" ? { status: 405 } : asked.range === undefined ? whole(asked) : part(asked)),
  "HEAD says 0": (asked) => (asked.method === "HEAD" ? sized(0) : asked.range === undefined ? whole(asked) : part(asked)),
  "ranges are ignored": whole,
};

for (const [how, serve] of Object.entries(SERVERS)) {
  for (const [what, bytes] of [["compressible", SMALL], ["incompressible", LARGE], ["tiny", LARGE.slice(0, 5)]]) {
    test(`${how}: a ${what} file arrives whole, and is stored whole`, async () => {
      [answer, file] = [serve, bytes];
      for (const store of [true, false]) {
        const visitor = tab();
        const { bytes: got } = await visitor.load(at(), { store });
        assert.ok(Buffer.from(got).equals(bytes), `${got.length} of ${bytes.length} bytes`);
        if (!store) continue;
        const [entry] = await visitor.store.list();
        assert.deepEqual([entry.complete, entry.bytes], [true, bytes.length]);
        assert.ok(Buffer.from((await visitor.load(at())).bytes).equals(bytes), "the second time");
        // Without a network.
        answer = () => ({ status: 503 });
        assert.ok(Buffer.from((await visitor.load(at())).bytes).equals(bytes), "offline");
        answer = serve;
      }
      // A plan reads the beginning of the same file.
      const parts = [];
      for await (const chunk of (await beginningOf(at(), 4096, tab().world, new AbortController().signal)).chunks) parts.push(chunk.slice());
      assert.ok(Buffer.from(joined(parts)).equals(bytes), "read from its beginning on");
    });
  }
}

test("what is checked by hashes is checked as it is, however it was sent", async () => {
  [answer, file] = [zipped, SMALL];
  assert.deepEqual((await tab().load(at(), { sha256: hashOf(SMALL) })).bytes, SMALL);
  const manifest = Buffer.from(JSON.stringify(manifestOf(SMALL, 1000)));
  const fetching = hiding();
  const both = new Tab({ fetch: (url, init) => (url.endsWith(".json") ? Promise.resolve(new Response(manifest)) : fetching(url, init)) });
  assert.deepEqual((await both.load(at(), { manifest: "auto" })).bytes, SMALL);
});

test("parts of a compressed file are no parts of the file: nothing of it is kept", async () => {
  const packed = gzipSync(SMALL);
  const cut = (shown) => ({ method, range }) => {
    if (range === undefined || method === "HEAD") return { headers: { "content-encoding": "gzip" }, body: packed };
    const [start, end] = [range[0], Math.min(range[1], packed.length)];
    if (start >= packed.length) return { status: 416 };
    return { status: 206, headers: { ...(shown && { "content-encoding": "gzip" }), "content-range": `bytes ${start}-${end - 1}/${packed.length}` }, body: packed.subarray(start, end) };
  };
  file = SMALL;
  // Where a browser unpacks each part, it is longer than was asked for, or broken.
  answer = cut(true);
  for (const exposed of [[], ["content-range"]]) {
    const visitor = tab(exposed);
    const got = await visitor.load(at()).then(({ bytes }) => bytes, (error) => error.code);
    if (typeof got !== "string") assert.ok(Buffer.from(got).equals(SMALL), `${got.length} bytes`);
    else assert.equal(got, "ERR_NETWORK");
    for (const { complete, bytes } of await visitor.store.list()) assert.ok(!complete || bytes === SMALL.length);
  }
});

test("a part that is longer than it says is an error, and nothing of the file is kept", async () => {
  file = LARGE;
  const visitor = tab(["content-range"]);
  visitor.world.fetch = async (url, init) => {
    const response = await hiding(["content-range"])(url, init);
    if (response.status !== 206) return response;
    const longer = joined([new Uint8Array(await response.arrayBuffer()), new Uint8Array(7)]);
    return new Response(longer, { status: 206, headers: { "content-range": response.headers.get("content-range") } });
  };
  answer = (asked) => (asked.range === undefined ? whole(asked) : part(asked));
  await assert.rejects(visitor.load(at()), (error) => error.code === "ERR_NETWORK" && /more than the \d+ bytes/.test(error.message));
  assert.deepEqual(await visitor.store.list(), []);
});

test("totals that differ from answer to answer are another file each time: an error, and nothing is complete", async () => {
  file = LARGE;
  let times = 0;
  answer = (asked) => {
    const { headers, ...rest } = part(asked);
    return { ...rest, headers: { "content-range": headers["content-range"].replace(/\d+$/, (total) => Number(total) + times++) } };
  };
  const visitor = tab(["content-range"]);
  await assert.rejects(visitor.load(at()), { code: "ERR_NETWORK" });
  assert.ok((await visitor.store.list()).every(({ complete }) => !complete));
});

test("a stored file is told from another version also where only a length is announced", async () => {
  [answer, file] = [whole, LARGE];
  const visitor = tab();
  await visitor.load(at());
  file = content(9, 60_000);
  assert.ok(Buffer.from((await visitor.load(at())).bytes).equals(file));
  // The same version, by its date, although what is announced is a compressed length.
  const dated = { headers: { "last-modified": "Sat, 21 Nov 2026 08:00:00 GMT" } };
  [answer, file] = [(asked) => ({ ...zipped(asked), headers: { ...zipped(asked).headers, ...dated.headers } }), SMALL];
  await visitor.load(at("/dated.gguf"));
  log.length = 0;
  const { cached } = await visitor.load(at("/dated.gguf"));
  assert.equal(cached, SMALL.length);
  const version = { total: undefined, etag: null, modified: null };
  assert.equal(agree({ ...version, announced: 5 }, { ...version, total: 6 }), false);
  assert.equal(agree({ ...version, announced: 5 }, { ...version, announced: 6 }), true);
});

test("what the core says of a cut file: it is gone from the store, unless a hash says that it is right", async () => {
  [answer, file] = [part, LARGE.slice(0, 20)];
  const { signal } = new AbortController();
  for (const sha256 of [null, hashOf(file)]) {
    const visitor = tab(["content-range"]);
    for (let times = 0; times < 2; times++) {
      const request = { cache: null, sha256, manifest: null, connections: 1 };
      const incoming = await open({ url: at() }, signal, request, visitor.world);
      for await (const chunk of incoming.chunks) assert.ok(chunk);
      assert.equal((await visitor.store.list()).length, 1);
      await incoming.discard();
      assert.equal((await visitor.store.list()).length, sha256 === null ? 0 : 1);
    }
  }
});

/** Loads through a host whose store is a tab's: the world of a browser needs one. */
function browserStorage(disk) {
  const folder = new Tab({ disk }).folder;
  const missing = () => new DOMException("no such entry", "NotFoundError");
  const directory = {
    getDirectoryHandle: async () => directory,
    getFileHandle: async (name, { create = false } = {}) => {
      if (!create && !disk.files.has(name)) throw missing();
      return {
        getFile: async () => (await folder.snapshot(name)) ?? Promise.reject(missing()),
        createSyncAccessHandle: async () => {
          const file = await folder.open(name);
          return { ...file, getSize: file.size, read: (into, { at }) => file.read(into, at), write: (bytes, { at }) => (file.write(bytes, at), bytes.length) };
        },
      };
    },
    removeEntry: (name) => folder.remove(name),
    keys: () => disk.files.keys(),
  };
  const locks = { request: (_, __, held) => Promise.resolve(held({})) };
  return { storage: { getDirectory: async () => directory, estimate: async () => ({ usage: 0, quota: 1e9 }) }, locks };
}

test("a model that the core refuses is not kept, and one whose prefix is refused is", async () => {
  [answer, file] = [part, LARGE];
  const disk = new Disk();
  globalThis.navigator = browserStorage(disk);
  globalThis.FileSystemFileHandle = class { createSyncAccessHandle() {} };
  const load = (core, options = {}) => {
    const { port1, port2 } = new MessageChannel();
    new Host(port2, { core, lendThreads: async () => {}, askAdapter: async () => ({ missing: "" }), openStore: async () => undefined, yieldToEvents: async () => {} });
    return loadThrough(new Connection(port1, () => port1.close()), loadRequest(at(), options), {});
  };
  const stored = async () => (await new Tab({ disk }).store.list()).map(({ complete }) => complete);
  try {
    const model = await load(fakeCore().core);
    assert.deepEqual([model.info.cached, model.info.cacheReason], [true, null]);
    model.dispose();
    await assert.rejects(load(fakeCore().core, { prefix: new File([], "empty.kv") }), { code: "ERR_BAD_FILE" });
    assert.deepEqual(await stored(), [true], "the weights are as good as they were");
    await assert.rejects(load(fakeCore({ failPush: "ERR_OUT_OF_MEMORY" }).core), { code: "ERR_OUT_OF_MEMORY" });
    assert.deepEqual(await stored(), [true]);
    // Cut on its way, in a way that nobody could see but the core.
    await assert.rejects(load(fakeCore({ headerBytes: 1e9 }).core), { code: "ERR_BAD_FILE" });
    assert.deepEqual(await stored(), []);
  } finally {
    delete globalThis.navigator;
    delete globalThis.FileSystemFileHandle;
  }
});

test("progress never goes beyond a total, and ends with what has arrived", async () => {
  const { core } = fakeCore();
  const { port1, port2 } = new MessageChannel();
  new Host(port2, { core, lendThreads: async () => {}, askAdapter: async () => ({ missing: "" }), openStore: async () => undefined, yieldToEvents: async () => {} });
  const before = globalThis.fetch;
  globalThis.fetch = hiding();
  // `hiding` asks through what it replaces.
  const fetching = hiding();
  globalThis.fetch = (url, init) => {
    globalThis.fetch = before;
    return fetching(url, init).finally(() => (globalThis.fetch = fetchHidden));
  };
  const fetchHidden = globalThis.fetch;
  try {
    for (const bytes of [SMALL, LARGE]) {
      [answer, file] = [zipped, bytes];
      const seen = [];
      const connection = new Connection(port1, () => undefined);
      const model = await loadThrough(connection, loadRequest(at(), {}), { onProgress: (now) => seen.push(now) });
      assert.equal(model.info.bytes, bytes.length);
      assert.deepEqual(seen.at(-1), { loaded: bytes.length, cached: 0, total: bytes.length });
      for (const { loaded, total } of seen) assert.ok(total === undefined || loaded <= total);
    }
  } finally {
    globalThis.fetch = before;
    port1.close();
  }
});

const PAGE = "\n<!DOCTYPE html>\n<html><body>Not here</body></html>";

test("a web page in place of a model says what it is, and replaces nothing that is stored", async () => {
  const page = () => ({ headers: { "content-type": "text/html; charset=utf-8" }, body: Buffer.from(PAGE) });
  const visitor = tab();
  [answer, file] = [whole, LARGE];
  await visitor.load(at("/kept.gguf"));
  answer = page;
  await assert.rejects(visitor.load(at()), (error) => error.code === "ERR_BAD_FILE" && /web page/.test(error.message));
  assert.deepEqual((await visitor.store.list()).map(({ url }) => url), [at("/kept.gguf")]);
  assert.deepEqual((await visitor.load(at("/kept.gguf"))).bytes, LARGE, "a wifi that wants a login");
  await assert.rejects(beginningOf(at(), 4096, tab().world, new AbortController().signal), { code: "ERR_BAD_FILE" });
  // Some servers send every file as a page.
  for (const bytes of [LARGE, SMALL, new Uint8Array(0)]) {
    file = bytes;
    answer = (asked) => ({ ...whole(asked), headers: { "content-type": "text/html" } });
    assert.deepEqual((await tab().load(at())).bytes, bytes);
  }
});
