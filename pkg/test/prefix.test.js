// A prefix beside a model's weights, over real HTTP and a real message channel.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { Connection } from "../modules/connection.js";
import { Host } from "../modules/host.js";
import { loadRequest, loadThrough } from "../modules/load.js";
import { planThrough } from "../modules/plan.js";
import { collect, open as openSource, openSmall } from "../modules/source.js";
import { content, startServer, Tab } from "./arrival_support.js";
import { fakeCore } from "./fake_engine.js";

const WEIGHTS = content(1, 6 << 20);
const FRAME = new TextEncoder().encode("a frame ".repeat(20_000));

let server;
let page;
const ports = [];
const unhandled = [];
const note = (error) => unhandled.push(error);

beforeEach(async () => {
  server = await startServer();
  // What addresses are relative to.
  globalThis.document = { baseURI: `${server.origin}/` };
  page = { weights: server.put("/model.gguf", WEIGHTS), prefix: server.put("/frame.prefix", FRAME) };
  process.on("unhandledRejection", note);
});

afterEach(async () => {
  // A rejection that nobody hears is told a turn later.
  await pause(20);
  process.off("unhandledRejection", note);
  delete globalThis.document;
  ports.splice(0).forEach((port) => port.close());
  server.close();
  assert.deepEqual(unhandled.splice(0), []);
});

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const code = (expected) => (error) => {
  assert.equal(error.code, expected, error.stack);
  return true;
};

/** What goes wrong with the answers of each path. */
function faults(byPath) {
  server.state.fault = ({ url }) => byPath[url];
}

const surroundings = (core) => ({
  core,
  lendThreads: async () => {},
  askAdapter: async () => ({ missing: "no GPU in this test" }),
  openStore: () => Promise.reject(new Error("no store in this test")),
  yieldToEvents: () => pause(0),
});

function connect(options) {
  const { core, log } = fakeCore(options);
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  new Host(port2, surroundings(core));
  return { connection: new Connection(port1, () => port1.close()), log };
}

/** Loads with the prefix: the model, the progress that was told, and what the core was given. */
async function load(core, { from = page.weights, prefix = page.prefix } = {}) {
  const seen = [];
  const { connection, log } = connect(core);
  const model = await loadThrough(connection, loadRequest(from, { prefix }), { onProgress: (now) => seen.push(now) }).catch((error) => {
    throw Object.assign(error, { log, seen });
  });
  return { model, seen, log };
}

/** Progress goes forward only, in bytes and in its share. */
function assertForward(seen) {
  let last = { loaded: 0, share: 0 };
  for (const { loaded, total } of seen) {
    const share = total === undefined ? last.share : loaded / total;
    assert.ok(loaded >= last.loaded && share >= last.share && share <= 1, JSON.stringify(seen));
    last = { loaded, share };
  }
}

test("it arrives while the weights do, and both are counted", async () => {
  faults({ "/model.gguf": { drip: 30 } });
  const { model, seen, log } = await load();
  assert.equal(log.imported, new TextDecoder().decode(FRAME));
  const all = WEIGHTS.length + FRAME.length;
  assert.deepEqual(seen.at(-1), { loaded: all, cached: 0, total: all });
  assertForward(seen);
  const early = seen.find(({ total }) => total === all);
  assert.ok(early.loaded < all / 2, `the length of both was known at ${early.loaded} of ${all} bytes`);
  assert.ok(seen.every(({ total }) => total === undefined || total === all), "a total without the prefix is none");
  assert.equal(model.info.bytes, WEIGHTS.length);
  assert.equal(log.pushed, WEIGHTS.length);
});

test("one that takes longer than the weights is waited for, with progress", async () => {
  faults({ "/frame.prefix": { drip: 40 } });
  const { seen, log } = await load();
  assert.equal(log.imported.length, FRAME.length);
  assertForward(seen);
  const later = seen.filter(({ loaded }) => loaded > WEIGHTS.length);
  assert.ok(later.length > 1, JSON.stringify(seen));
  assert.equal(seen.at(-1).loaded, seen.at(-1).total);
});

test("where the server does not say its length, the total is known at the end", async () => {
  server.put("/frame.prefix", FRAME, { sized: false, ranges: false });
  const { seen } = await load();
  const all = WEIGHTS.length + FRAME.length;
  assert.deepEqual(seen.at(-1), { loaded: all, cached: 0, total: all });
  assert.ok(seen.slice(0, -1).every(({ total }) => total === undefined || total === all));
  assertForward(seen);
});

test("a chosen file counts as one from an address does", async () => {
  const { seen, log } = await load({}, { from: new File([WEIGHTS], "m.gguf"), prefix: new File([FRAME], "frame.prefix") });
  assert.equal(log.imported.length, FRAME.length);
  assert.equal(seen.at(-1).loaded, WEIGHTS.length + FRAME.length);
  assert.equal(seen.at(-1).total, WEIGHTS.length + FRAME.length);
});

test("one that is missing ends the load at once, by its own name", async () => {
  server.state.files.delete("/frame.prefix");
  faults({ "/model.gguf": { drip: 200 } });
  const began = performance.now();
  await assert.rejects(load(), (error) => {
    assert.equal(error.status, 404);
    assert.match(error.message, /frame\.prefix/);
    assert.equal(error.log.freed, 1);
    return code("ERR_NETWORK")(error);
  });
  assert.ok(performance.now() - began < 1500, "the weights would have taken 2 s");
  await pause(250);
  assert.ok(server.sent("/model.gguf") < WEIGHTS.length / 2, `${server.sent("/model.gguf")} bytes of the weights were sent`);
  assert.equal(server.state.open, 0, "connections are closed");
});

test("weights that fail end it too, and theirs is the error", async () => {
  faults({ "/frame.prefix": { drip: 200 } });
  await assert.rejects(load({ failPush: "ERR_BAD_FILE" }), (error) => error.log.freed === 1 && code("ERR_BAD_FILE")(error));
  await pause(250);
  assert.ok(server.sent("/frame.prefix") < FRAME.length / 2, `${server.sent("/frame.prefix")} bytes of the prefix were sent`);
  assert.equal(server.state.open, 0, "connections are closed");
  await assert.rejects(load({}, { from: "/none.gguf" }), (error) => error.status === 404 && /none\.gguf/.test(error.message));
});

test("a cancel ends both", async () => {
  faults({ "/model.gguf": { drip: 100 }, "/frame.prefix": { drip: 100 } });
  const replies = [];
  const channel = { postMessage: (reply) => replies.push(reply), onmessage: null };
  const { core, log } = fakeCore();
  new Host(channel, surroundings(core));
  channel.onmessage({ data: { type: "load", id: 3, request: loadRequest(page.weights, { prefix: page.prefix }) } });
  while (server.state.log.every(({ path }) => path !== "/frame.prefix")) await pause(5);
  channel.onmessage({ data: { type: "cancel", id: 3 } });
  const answer = () => replies.find(({ type }) => type === "error" || type === "result");
  while (answer() === undefined) await pause(5);
  assert.equal(answer().error.code, "ERR_ABORTED");
  assert.equal(log.freed, 1);
  await pause(150);
  assert.equal(server.state.open, 0, "connections are closed");
});

test("a plan counts what would have to be fetched of it, and tells that it is missing", async () => {
  const plan = (prefix) => planThrough(connect().connection, loadRequest(page.weights, { prefix }));
  assert.equal((await plan(page.prefix)).fetchBytes, WEIGHTS.length + FRAME.length);
  assert.ok(server.sent("/frame.prefix") <= 1, "asked for its length alone");
  assert.equal((await plan(new File([FRAME], "frame.prefix"))).fetchBytes, WEIGHTS.length);
  const missing = await plan(`${server.origin}/none.prefix`);
  assert.deepEqual([missing.ok, missing.code], [false, "ERR_NETWORK"]);
  assert.match(missing.reason, /none\.prefix/);
});

test("what was stored of it is cached, and stays when the weights need room", async () => {
  const [weights, frame] = [WEIGHTS.subarray(0, 60_000), FRAME.subarray(0, 20_500)];
  server.put("/model.gguf", weights);
  server.put("/frame.prefix", frame);
  const other = server.put("/other.gguf", content(3, 40_000));
  // Room for two of the three.
  const tab = new Tab({ quota: 175_000 });
  const never = new AbortController().signal;
  const request = loadRequest(page.weights, { prefix: page.prefix });
  const stored = async () => (await tab.store.list()).map(({ url }) => new URL(url).pathname).sort();
  await collect(await openSmall(request.prefix, request, never, tab.world));
  await tab.load(other);
  for await (const chunk of (await openSource(request.source, never, request.arrival, tab.world, request.prefix)).chunks) assert.ok(chunk);
  assert.deepEqual(await stored(), ["/frame.prefix", "/model.gguf"]);
  const again = await openSmall(request.prefix, request, never, tab.world);
  await collect(again);
  assert.equal(again.cached(), frame.length);
});
