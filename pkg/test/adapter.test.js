// What the adapters of real browsers say, as they said it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { askAdapter, describeAdapter } from "../modules/adapter.js";
import { Host } from "../modules/host.js";
import { loadRequest } from "../modules/load.js";
import { fakeCore } from "./fake_engine.js";

const info = (fields) => ({ vendor: "", architecture: "", device: "", description: "", ...fields });

test("software rasterisers are told from hardware", () => {
  const cases = [
    ["Chromium on SwiftShader", { info: info({ vendor: "google", architecture: "swiftshader" }) }, true],
    ["Firefox on llvmpipe", { info: info({ isFallbackAdapter: true }) }, true],
    ["an older Chromium's fallback", { info: info({}), isFallbackAdapter: true }, true],
    ["Windows' WARP", { info: info({ vendor: "microsoft", description: "Microsoft Basic Render Driver" }) }, true],
    ["Mesa's rasteriser by name", { info: info({ description: "llvmpipe (LLVM 15.0.6, 256 bits)" }) }, true],
    ["an Intel GPU", { info: info({ vendor: "intel", architecture: "gen-12lp" }) }, false],
    ["an NVIDIA GPU", { info: info({ vendor: "nvidia", architecture: "ampere", isFallbackAdapter: false }) }, false],
    ["Firefox on hardware, which names nothing", { info: info({ isFallbackAdapter: false }) }, false],
  ];
  for (const [name, adapter, software] of cases) assert.equal(describeAdapter(adapter).software, software, name);
});

test("an adapter's name is what the browser lets out", () => {
  assert.equal(describeAdapter({ info: info({ vendor: "intel", architecture: "gen-12lp" }) }).name, "intel gen-12lp");
  assert.equal(describeAdapter({ info: info({ vendor: "x", description: "Card 9000" }) }).name, "Card 9000");
  assert.equal(describeAdapter({ info: info({}) }).name, "unnamed GPU");
  assert.equal(describeAdapter({ info: info({ isFallbackAdapter: true }) }).name, "unnamed software adapter");
});

/** Asks with a `navigator.gpu` of the test's own. */
async function asked(gpu, patienceMs = 50) {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: typeof gpu === "function" ? Object.defineProperty({}, "gpu", { get: gpu }) : { gpu }, configurable: true });
  try {
    return await askAdapter(patienceMs);
  } finally {
    if (before === undefined) delete globalThis.navigator;
    else Object.defineProperty(globalThis, "navigator", before);
  }
}

const never = () => new Promise(() => {});
const offers = (adapter) => ({ requestAdapter: async () => adapter });

test("an adapter that says little or nothing of itself is one all the same", async () => {
  const unnamed = { name: "unnamed GPU", software: false };
  for (const [what, adapter, expected] of [
    ["no info (Chrome 113 to 126)", {}, unnamed],
    ["info is null", { info: null }, unnamed],
    ["the method that was there before", { requestAdapterInfo: async () => info({ vendor: "intel", architecture: "gen-9" }) }, { name: "intel gen-9", software: false }],
    ["the method says software", { requestAdapterInfo: async () => info({ vendor: "google", architecture: "swiftshader" }) }, { name: "google swiftshader", software: true }],
    ["the method rejects", { requestAdapterInfo: () => Promise.reject(new Error("not allowed")) }, unnamed],
    ["the method throws", { requestAdapterInfo: () => { throw new TypeError("illegal"); } }, unnamed],
    ["the method never answers", { requestAdapterInfo: never }, unnamed],
    ["the method gives nothing", { requestAdapterInfo: async () => undefined }, unnamed],
    ["the flag of older browsers", { isFallbackAdapter: true }, { name: "unnamed software adapter", software: true }],
    ["some fields are missing", { info: { vendor: "apple" } }, { name: "apple", software: false }],
    ["info throws", { get info() { throw new DOMException("hidden", "SecurityError"); } }, unnamed],
  ]) {
    assert.deepEqual(await asked(offers(adapter)), { adapter: expected }, what);
  }
});

test("where there is no adapter the reason says so, and nothing is thrown or waited for", async () => {
  for (const [what, gpu, reason] of [
    ["no WebGPU", undefined, /no WebGPU/],
    ["switched off", null, /no WebGPU/],
    ["the property throws", () => { throw new DOMException("denied by policy", "SecurityError"); }, /denied by policy/],
    ["no adapter", offers(null), /offers no WebGPU adapter/],
    ["nothing", offers(undefined), /offers no WebGPU adapter/],
    ["it rejects", { requestAdapter: () => Promise.reject(new Error("the GPU process crashed")) }, /GPU process crashed/],
    ["it throws", { requestAdapter: () => { throw new TypeError("not a function"); } }, /not a function/],
    ["it is no function", {}, /requestAdapter/],
    ["it never answers", { requestAdapter: never }, /within 0\.05 s/],
  ]) {
    const began = performance.now();
    const { missing } = await asked(gpu);
    assert.match(missing, reason, what);
    assert.ok(performance.now() - began < 500, what);
  }
});

/** Loads with a core whose GPU does not open. */
async function opened(createEngine, { backend = "auto", escape } = {}) {
  const { core, log } = fakeCore();
  const tried = [];
  const replies = [];
  const channel = { postMessage: (reply) => replies.push(reply), onmessage: null };
  const host = new Host(channel, {
    core: { ...core, createEngine: (json, turn) => (tried.push(JSON.parse(json).backend), tried.at(-1) === "cpu" ? core.createEngine(json, turn) : createEngine(json, turn, core)) },
    lendThreads: async () => {},
    askAdapter: async () => ({ adapter: { name: "Some GPU", software: false } }),
    openStore: async () => undefined,
    yieldToEvents: async () => {},
    openingMs: 50,
  });
  const done = () => replies.find(({ type }) => type === "result" || type === "error" || type === "fatal");
  channel.onmessage({ data: { type: "load", id: 1, request: loadRequest(new File([new Uint8Array(10)], "m.gguf"), { backend }) } });
  if (escape !== undefined) setTimeout(() => host.fatal(escape), 10);
  while (done() === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  return { ...done(), tried, log, host, replies };
}

const GPUS = [
  ["never", never, undefined, /did not open within 0\.05 s/],
  ["fails", () => Promise.reject(new TypeError("adapter.limits is undefined")), undefined, /adapter\.limits is undefined/],
  ["fails as browsers do", () => Promise.reject(new DOMException("the device was refused", "OperationError")), undefined, /the device was refused/],
  ["throws where no promise hears it", never, new TypeError("requestDevice is not a function"), /requestDevice is not a function/],
];

for (const [how, createEngine, escape, reason] of GPUS) {
  test(`a GPU that opens: ${how}. auto takes the CPU and says why, gpu fails with a code`, async () => {
    const { value, tried } = await opened(createEngine, { escape });
    assert.deepEqual(tried, ["auto", "cpu"]);
    assert.match(value.backend.reason, reason);
    const { error } = await opened(createEngine, { backend: "gpu", escape });
    assert.equal(error.code, "ERR_NO_BACKEND");
    assert.match(error.message, reason);
  });
}

test("a GPU that opens after all, too late, is given back; what the core decided itself stands, and a trap is one", async () => {
  const late = async (json, turn, core) => {
    await new Promise((resolve) => setTimeout(resolve, 120));
    return await core.createEngine(json, turn);
  };
  const { value, log } = await opened(late);
  assert.match(value.backend.reason, /did not open/);
  await new Promise((resolve) => setTimeout(resolve, 120));
  assert.equal(log.freed, 1);
  const coded = Object.assign(new Error("no device"), { code: "ERR_NO_BACKEND" });
  const { error, tried } = await opened(() => Promise.reject(coded), { backend: "gpu" });
  assert.deepEqual([error.code, error.message, tried.length], ["ERR_NO_BACKEND", "no device", 1]);
  const { replies } = await opened(never, { escape: new WebAssembly.RuntimeError("unreachable") });
  assert.equal(replies.at(-1).type, "fatal");
});

test("after the GPU has been opened, what is thrown is fatal again", async () => {
  const { host, replies } = await opened((json, turn, core) => core.createEngine(json, turn));
  host.fatal(new TypeError("later"));
  assert.deepEqual([replies.at(-1).type, replies.at(-1).error.code], ["fatal", "ERR_INTERNAL"]);
});
