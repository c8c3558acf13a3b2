// A model in parts: planned, loaded by the address of its first one, kept, and refused where one is missing.

import assert from "node:assert/strict";
import { statSync } from "node:fs";
import path from "node:path";

import { SMALL_MODELS, writeSmallModels } from "../lib/small_models.mjs";

/** In parts, and the same one in one file (examples/small_models.rs). */
const FIRST = "/small-models/split-00001-of-00003.gguf";
const WHOLE = "/small-models/gemma3-f32-64.gguf";

/** Stands in the way of requests for what a pattern names; gives what they were. */
function refuse(state, pattern, how) {
  const asked = [];
  state.intercept = ({ url }, answer, headers) => {
    if (!pattern.test(url)) return false;
    asked.push(url);
    how(answer, headers);
    return true;
  };
  return asked;
}

function split(browser, load) {
  return {
    name: `split: ${browser} ${load.backend}: a model in parts is the same model, is kept, and lacks none`,
    async run(context) {
      writeSmallModels();
      const { state } = context.server;
      const page = await context.page(browser, "/test/package.html");
      await page.waitFor("the package", () => globalThis.rushlight !== undefined);
      const answer = (url) =>
        page.evaluate(
          async ({ url, load }) => {
            const { loadModel, plan } = globalThis.rushlight;
            try {
              const planned = await plan(url, load);
              let last;
              const model = await loadModel(url, { ...load, onProgress: (progress) => (last = progress) });
              const held = await model.memory();
              let text = "";
              for await (const piece of model.generate("the capital of France is", { maxTokens: 24, temperature: 1, seed: 3 })) text += piece.text;
              model.dispose();
              return { planned, last, text, bytes: model.info.bytes, parameters: model.info.parameters, held };
            } catch (error) {
              return { code: error.code, status: error.status, message: error.message };
            }
          },
          { url, load },
        );
      const [bytes, ...rest] = [1, 2, 3].map((part) => statSync(path.join(SMALL_MODELS, `split-0000${part}-of-00003.gguf`)).size);
      const all = rest.reduce((sum, size) => sum + size, bytes);
      try {
        context.expectProblem(/net::ERR|Failed to load resource|NS_ERROR|NetworkError|404/);
        refuse(state, /00002-of-00003/, (answer, headers) => void answer.writeHead(404, headers).end());
        const lacking = await answer(FIRST);
        assert.deepEqual([lacking.code, lacking.status], ["ERR_NETWORK", 404], lacking.message);
        assert.match(lacking.message, /00002-of-00003/);
        state.intercept = undefined;

        const whole = await answer(WHOLE);
        const parts = await answer(FIRST);
        assert.equal(parts.message, undefined);
        assert.equal(parts.text, whole.text);
        assert.ok(parts.text.length > 0);
        assert.deepEqual([parts.bytes, parts.parameters], [all, whole.parameters]);
        assert.deepEqual(parts.last, { loaded: all, cached: 0, total: all });
        assert.deepEqual([parts.planned.ok, parts.planned.fileBytes, parts.planned.fetchBytes], [true, all, all], parts.planned.reason);
        assert.deepEqual([parts.planned.parameters, parts.planned.memoryBytes], [whole.parameters, whole.planned.memoryBytes]);
        const { weights, kv, scratch, tokenizer } = parts.held;
        const near = load.backend === "cpu" ? 0 : 0.3;
        const held = weights + kv + scratch + tokenizer;
        assert.ok(Math.abs(parts.planned.memoryBytes - held) <= near * held, `${parts.planned.memoryBytes} planned, ${held} held`);

        const asked = refuse(state, /small-models/, (answer) => void answer.destroy());
        const stored = await answer(FIRST);
        assert.equal(stored.message, undefined);
        assert.equal(stored.text, whole.text);
        assert.deepEqual(stored.last, { loaded: all, cached: all, total: all });
        assert.deepEqual([stored.planned.fileBytes, stored.planned.fetchBytes], [all, 0]);
        return `${all} bytes in 3 parts; ${asked.length} requests were refused`;
      } finally {
        state.intercept = undefined;
      }
    },
  };
}

export default [split("chromium", { backend: "cpu" }), split("firefox", { backend: "cpu" }), split("chromium", { backend: "gpu" })];
