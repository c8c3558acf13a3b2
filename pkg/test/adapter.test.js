// What the adapters of real browsers say, as they said it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { describeAdapter } from "../modules/adapter.js";

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
