// Where the bytes are while 253 MB load, and how long header and tokenizer take.

import assert from "node:assert/strict";

import { MODEL } from "../lib/paths.mjs";

const MIB = 2 ** 20;

/** Growth that is allowed beside the tokenizer's tables. */
const LIMIT = 64 * MIB;

const mib = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`;

export default [
  {
    name: "memory: on the GPU no weight rests in the JS or wasm heap",
    async run(context) {
      const page = await context.page("chromium", "/test/package.html");
      await page.waitFor("the package", () => globalThis.rushlight !== undefined);
      const seen = await page.evaluate(async (url) => {
        if (!globalThis.crossOriginIsolated) throw new Error("the page is not cross-origin isolated");
        const heap = async () => (await performance.measureUserAgentSpecificMemory()).bytes;
        const before = await heap();
        const model = await globalThis.rushlight.loadModel(url, { backend: "gpu" });
        return { before, after: await heap(), memory: await model.memory(), info: model.info };
      }, `/models/${MODEL}`);
      const { before, after, memory, info } = seen;
      assert.equal(info.backend.kind, "gpu");
      assert.ok(info.bytes > 250e6);
      assert.ok(memory.weights > 240e6, `the GPU holds ${memory.weights}`);
      assert.ok(memory.weights <= info.bytes * 1.02, `GPU bytes over file bytes: ${memory.weights / info.bytes}`);
      const wasm = memory.wasm - memory.tokenizer;
      assert.ok(wasm < LIMIT, `wasm memory without the tokenizer: ${mib(wasm)}`);
      const grown = after - before - memory.tokenizer;
      assert.ok(grown < LIMIT, `JS and wasm heaps grew by ${mib(grown)} beside the tokenizer`);
      return `wasm ${mib(memory.wasm)}, of it tokenizer ${mib(memory.tokenizer)}, after the header ${mib(memory.wasmAfterHeader)}; heaps grew by ${mib(after - before)}`;
    },
  },
  {
    name: "memory: header and tokenizer take under 1.5 s in wasm",
    async run(context) {
      const times = [];
      for (const browser of ["chromium", "firefox"]) {
        const page = await context.page(browser, "/test/package.html");
        await page.waitFor("the package", () => globalThis.rushlight !== undefined);
        const { header, tokenizer } = await page.evaluate(async (url) => {
          const model = await globalThis.rushlight.loadModel(url, { backend: "cpu" });
          const { timings } = model.info;
          model.dispose();
          return timings;
        }, `/models/${MODEL}`);
        assert.ok(header + tokenizer < 1500, `${browser}: header ${header} ms, tokenizer ${tokenizer} ms`);
        times.push(`${browser} ${header.toFixed(0)} + ${tokenizer.toFixed(0)} ms`);
      }
      return times.join(", ");
    },
  },
];
