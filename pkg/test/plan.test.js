// Plans fetch only the beginning of a file, from servers with ranges and without.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, afterEach, test } from "node:test";

import { Connection } from "../modules/connection.js";
import { Host } from "../modules/host.js";
import { loadRequest } from "../modules/load.js";
import { planThrough } from "../modules/plan.js";
import { fakeCore } from "./fake_engine.js";

const MIB = 2 ** 20;
const FILE = new Uint8Array(40 * MIB);

/** A server that says what was asked for. */
const asked = [];
const server = createServer((request, response) => {
  const path = new URL(request.url, "http://localhost").pathname;
  if (path === "/missing") return void response.writeHead(404).end();
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  asked.push(range === null ? "whole" : [Number(range[1]), Number(range[2])]);
  if (path === "/whole") {
    const sent = { bytes: 0 };
    asked.push(sent);
    response.writeHead(200, path === "/whole" ? { "content-length": FILE.length } : {});
    const more = () => {
      if (sent.bytes >= FILE.length || response.destroyed) return void response.end();
      sent.bytes += 65536;
      if (response.write(FILE.subarray(0, 65536))) setTimeout(more, 1);
      else response.once("drain", more);
    };
    return void more();
  }
  const file = path === "/short" ? FILE.subarray(0, 1000) : FILE;
  const [begin, end] = [Number(range[1]), Math.min(Number(range[2]) + 1, file.length)];
  if (begin >= file.length) return void response.writeHead(416).end();
  response.writeHead(206, { "content-range": `bytes ${begin}-${end - 1}/${file.length}` });
  response.end(file.subarray(begin, end));
});
await new Promise((resolve) => server.listen(0, resolve));
after(() => server.closeAllConnections() ?? server.close());
const at = (path) => `http://localhost:${server.address().port}${path}`;

const open = [];
afterEach(() => {
  open.splice(0).forEach((port) => port.close());
  asked.length = 0;
});

function connect(options) {
  const { core, log } = fakeCore(options);
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  const state = { terminated: false };
  new Host(port2, {
    core,
    lendThreads: async () => {},
    askAdapter: async () => ({ missing: "no GPU in this test" }),
    openStore: () => Promise.reject(new Error("no store in this test")),
    yieldToEvents: () => new Promise((resolve) => setTimeout(resolve, 0)),
  });
  const connection = new Connection(port1, () => {
    state.terminated = true;
    port1.close();
  });
  return { connection, log, state };
}

/** A request as `plan` makes it; without a page there is nothing that addresses could be relative to. */
function request(path, options = {}) {
  return { ...loadRequest(new File([], "none"), options), source: { url: at(path) } };
}

test("only as much of the file is fetched as its header has", async () => {
  const { connection, log, state } = connect({ headerBytes: 3 * MIB + 5 });
  const plan = await planThrough(connection, request("/ranges"));
  assert.deepEqual(asked, [[0, MIB - 1], [MIB, 3 * MIB - 1], [3 * MIB, 7 * MIB - 1]]);
  assert.equal(log.pushed, 7 * MIB);
  assert.equal(log.options.plan, true);
  assert.equal(log.options.fileBytes, FILE.length);
  assert.equal(plan.ok, true);
  assert.equal(plan.code, null);
  assert.equal(plan.fileBytes, FILE.length);
  assert.equal(plan.fetchBytes, FILE.length);
  assert.deepEqual(plan.backend, { kind: "cpu", device: "none", reason: "no GPU in this test" });
  assert.equal(plan.reason, "no GPU in this test");
  assert.ok(state.terminated, "the worker has nothing more to do");
});

test("a server without ranges is left when the header is there", async () => {
  const { connection, log } = connect({ headerBytes: MIB });
  const plan = await planThrough(connection, request("/whole"));
  assert.equal(plan.fileBytes, FILE.length);
  assert.ok(log.pushed < 2 * MIB, `${log.pushed} bytes`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(asked.at(-1).bytes < FILE.length / 2, `${asked.at(-1).bytes} bytes were sent`);
});

test("a chosen file is read from its beginning, and nothing is to be fetched", async () => {
  const { connection, log } = connect({ headerBytes: 2 * MIB });
  const plan = await planThrough(connection, loadRequest(new File([FILE], "m.gguf"), {}));
  assert.equal(log.pushed, 3 * MIB);
  assert.equal(plan.fetchBytes, 0);
  assert.equal(plan.fileBytes, FILE.length);
});

test("what would fail is told, not thrown", async () => {
  const short = await planThrough(connect({ headerBytes: MIB }).connection, request("/short"));
  assert.equal(short.ok, false);
  assert.equal(short.code, "ERR_BAD_FILE");
  const missing = await planThrough(connect().connection, request("/missing"));
  assert.equal(missing.code, "ERR_NETWORK");
  assert.match(missing.reason, /404/);
  assert.equal(missing.tokensPerSecond, null);
  const gpu = await planThrough(connect().connection, request("/ranges", { backend: "gpu" }));
  assert.equal(gpu.ok, false);
  assert.equal(gpu.code, "ERR_NO_BACKEND");
  assert.equal(gpu.reason, "no GPU in this test");
});

test("an abort is an error", async () => {
  const { connection, state } = connect({ headerBytes: 30 * MIB });
  const controller = new AbortController();
  const waiting = planThrough(connection, request("/whole"), controller.signal);
  setTimeout(() => controller.abort(), 20);
  await assert.rejects(waiting, (error) => error.code === "ERR_ABORTED");
  assert.ok(state.terminated);
});
