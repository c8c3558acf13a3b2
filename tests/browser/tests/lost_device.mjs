// A GPU that goes away while the model answers is an error that the package throws and the page shows, never silence; and the
// next answer has a new device.

import assert from "node:assert/strict";

import { failed, fillIn, generate, read } from "../lib/page.mjs";
import { writeSmallModels } from "../lib/small_models.mjs";

const MODEL = "/small-models/gemma3-f32-64.gguf";
const PROMPT = "The capital of France is";

/** Runs a test with the script before the worker that can lose its device. */
async function withLosableDevice(context, run) {
  writeSmallModels();
  context.server.state.beforeWorker = "/test/lose_device.js";
  try {
    return await run();
  } finally {
    context.server.state.beforeWorker = undefined;
  }
}

/** In the page: loses the device of its worker. */
const lose = () => new BroadcastChannel("lose-device").postMessage(null);

function thrown(browser) {
  return {
    name: `lost device: ${browser}: the package throws, while it answers and after`,
    run: (context) =>
      withLosableDevice(context, async () => {
        const page = await context.page(browser, "/test/package.html");
        await page.waitFor("the package", () => globalThis.rushlight !== undefined);
        const { codes, pieces } = await page.evaluate(
          async ({ model: url, prompt }) => {
            const channel = new BroadcastChannel("lose-device");
            const codes = [];
            const model = await globalThis.rushlight.loadModel(url, { backend: "gpu" });
            let pieces = 0;
            try {
              for await (const piece of model.generate(prompt, { maxTokens: 200 })) {
                if (piece.id !== null && ++pieces === 2) channel.postMessage(null);
              }
            } catch (error) {
              codes.push(error.code);
            }
            for (const later of [model.memory(), model.generate(prompt)[Symbol.asyncIterator]().next()]) {
              await later.catch((error) => codes.push(error.code));
            }
            return { codes, pieces };
          },
          { model: MODEL, prompt: PROMPT },
        );
        assert.deepEqual(codes, ["ERR_DEVICE_LOST", "ERR_DEVICE_LOST", "ERR_DEVICE_LOST"]);
        assert.ok(pieces < 200);
        return `after ${pieces} tokens`;
      }),
  };
}

export default [
  thrown("chromium"),
  thrown("firefox"),
  {
    name: "lost device: the page says so, and the next answer loads the model anew",
    run: (context) =>
      withLosableDevice(context, async () => {
        const page = await context.page("chromium");
        await fillIn(page, { model: MODEL, backend: "gpu", prompt: PROMPT, maxTokens: 200 });
        await page.click("#generate");
        await page.waitFor("two tokens", () => document.querySelectorAll("#answer .token").length >= 2);
        await page.evaluate(lose);
        await page.waitFor("a message", failed);
        const { failure, state } = await read(page);
        assert.equal(failure.code, "ERR_DEVICE_LOST", failure.text);
        assert.match(failure.text, /The GPU went away/);
        assert.equal(state, "idle");
        await fillIn(page, { maxTokens: 3 });
        const again = await generate(page);
        assert.equal(again.failure, null, again.failure?.text);
        assert.equal(again.tokens.length, 3);
        assert.equal(again.facts.backend.value, "gpu");
        return failure.text.split("\n").at(-1);
      }),
  },
];
