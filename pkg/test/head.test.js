// Plans out of what is stored, from servers on bad days, and of models in parts.

import assert from "node:assert/strict";
import { after, afterEach, test } from "node:test";

import { planLoad } from "../modules/create.js";
import { loadRequest } from "../modules/load.js";
import { fakeCore } from "./fake_engine.js";
import { beginningOf } from "../modules/arrival/beginning.js";
import { content, Disk, joined, startServer, Tab } from "./arrival_support.js";

const server = await startServer();
after(() => server.close());
afterEach(() => {
  server.state.log.length = 0;
  server.state.fault = () => undefined;
});

const FILE = content(3, 50_000);
const HEADER = 9_500;

/** Plans as the worker does, out of a tab's store; gives the plan and what the core saw. */
async function planned(tab, url, { headerBytes = HEADER, signal = new AbortController().signal } = {}) {
  const { core, log } = fakeCore({ headerBytes });
  const request = { ...loadRequest(new File([], "none"), {}), source: { url }, backend: "cpu" };
  const surroundings = { core, lendThreads: async () => {}, askAdapter: async () => ({}), yieldToEvents: async () => {} };
  return { plan: await planLoad(request, signal, surroundings, tab.world), log };
}

/** Loads so many chunks of a file and then leaves it. */
async function begin(tab, url, chunks) {
  const controller = new AbortController();
  const seen = (_, count) => count === chunks && controller.abort();
  await assert.rejects(tab.load(url, { signal: controller.signal, connections: 1, onChunk: seen }), { code: "ERR_ABORTED" });
}

const sent = () => server.state.log.reduce((sum, entry) => sum + entry.sent, 0);

test("a failure that passes is asked again, before and within a file", async () => {
  for (const about of [{}, { ranges: false }]) {
    const url = server.put("/passing", FILE, about);
    const faults = [{ status: 503 }, { reset: true }, { cut: 0.1 }, { status: 429, headers: { "retry-after": "0" } }];
    server.state.fault = () => faults.shift();
    const { plan, log } = await planned(new Tab(), url);
    assert.deepEqual(faults, []);
    assert.equal(plan.ok, true, plan.reason);
    assert.deepEqual([plan.fileBytes, plan.fetchBytes], [FILE.length, FILE.length]);
    assert.equal(log.options.fileBytes, FILE.length);
    assert.ok(log.pushed >= HEADER);
  }
});

test("a failure that does not pass is told with its status", async () => {
  const url = server.put("/failing", FILE);
  server.state.fault = () => ({ status: 503 });
  await assert.rejects(planned(new Tab(), url), (error) => error.code === "ERR_NETWORK" && error.status === 503);
  assert.ok(server.state.log.length > 1);
  server.state.fault = () => undefined;
  await assert.rejects(planned(new Tab(), `${server.origin}/none`), (error) => error.status === 404);
});

test("a stored file is planned without the network", async () => {
  const url = server.put("/stored", FILE);
  const tab = new Tab();
  await tab.load(url);
  const { plan } = await planned(tab, url);
  assert.deepEqual([plan.fileBytes, plan.fetchBytes], [FILE.length, 0]);
  server.state.log.length = 0;
  server.state.fault = () => ({ reset: true });
  const { plan: offline, log } = await planned(tab, url);
  assert.deepEqual([offline.fileBytes, offline.fetchBytes, offline.ok], [FILE.length, 0, true]);
  assert.ok(log.pushed >= HEADER);
  assert.equal(sent(), 0);
});

test("a stored file that the server has replaced is planned as it is there", async () => {
  const url = server.put("/replaced", FILE);
  const tab = new Tab();
  await tab.load(url);
  await begin(tab, server.put("/begun-replaced", FILE), 20);
  for (const path of ["/replaced", "/begun-replaced"]) {
    server.put(path, content(4, 60_000));
    const { plan } = await planned(tab, server.origin + path);
    assert.deepEqual([plan.fileBytes, plan.fetchBytes], [60_000, 60_000], path);
  }
});

test("of a file that was begun only the rest counts, and only what is missing of its header is fetched", async () => {
  for (const chunks of [20, 2]) {
    const url = server.put(`/begun-${chunks}`, FILE);
    const tab = new Tab();
    await begin(tab, url, chunks);
    const [entry] = await tab.store.list();
    const stored = entry.chunks.size * 1000;
    assert.ok(stored >= chunks * 1000 && stored < FILE.length, `${stored} bytes`);
    server.state.log.length = 0;
    const { plan, log } = await planned(tab, url);
    assert.equal(plan.fetchBytes, FILE.length - stored);
    assert.ok(log.pushed >= HEADER);
    assert.ok(stored < HEADER || sent() <= 1, `${sent()} bytes for a header that is there`);
    // A plan changes nothing.
    assert.deepEqual((await tab.store.list()).map(({ chunks: now }) => now.size), [entry.chunks.size]);
  }
});

test("a chunk that is damaged in the store is fetched", async () => {
  const url = server.put("/damaged", FILE);
  const disk = new Disk();
  const tab = new Tab({ disk });
  await tab.load(url);
  for (const [name, file] of disk.files) if (name.endsWith(".data")) file.write(new Uint8Array(100), 0);
  server.state.log.length = 0;
  const { plan, log } = await planned(tab, url);
  assert.equal(plan.ok, true);
  assert.ok(log.pushed >= HEADER);
  assert.ok(sent() > 1000);
});

test("read to its end it is the file, out of store and network, broken off and taken up", async () => {
  for (const about of [{}, { ranges: false }, { sized: false, ranges: false }]) {
    const url = server.put("/whole", FILE, about);
    const tab = new Tab();
    if (about.ranges !== false) await begin(tab, url, 7);
    const faults = [{}, {}, { cut: 0.3 }, { cut: 0.9 }];
    server.state.fault = () => faults.shift();
    const { chunks } = await beginningOf(url, 4096, tab.world, new AbortController().signal);
    const parts = [];
    for await (const chunk of chunks) parts.push(chunk.slice());
    assert.ok(Buffer.from(joined(parts)).equals(FILE), JSON.stringify(about));
  }
});

const PARTS = [content(5, 30_000), content(6, 400_000), content(7, 200_000)];
const put = (name, at) => server.put(`/${name}-0000${at + 1}-of-00003.gguf`, PARTS[at]);

test("a model in parts is planned from the beginning of each, and fetched as their sum", async () => {
  const [url] = PARTS.map((_, at) => put("parts", at));
  const tab = new Tab();
  const { plan, log } = await planned(tab, url);
  assert.deepEqual(log.parts, [400_000, 200_000]);
  assert.deepEqual([log.options.fileBytes, plan.fileBytes, plan.fetchBytes], [30_000, 630_000, 630_000]);
  assert.equal(log.pushed, 30_000 + 2 * 131_072, "one piece of each");
  await tab.load(url.replace("00001-of", "00002-of"));
  assert.equal((await planned(tab, url)).plan.fetchBytes, 230_000);
  await tab.load(url);
  assert.equal((await planned(tab, url)).plan.fetchBytes, 200_000);
});

test("a part that is missing is told", async () => {
  const url = put("lacking", 0);
  put("lacking", 2);
  const named = (error) => error.code === "ERR_NETWORK" && error.status === 404 && error.message.includes("00002-of-00003");
  await assert.rejects(planned(new Tab(), url), named);
});
