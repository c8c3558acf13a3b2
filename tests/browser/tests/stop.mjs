// Stop, and an aborted signal, end whatever is going on within 200 ms. The worker has to be free again by then, too: the
// package answers `memory()` only once it has left the answer.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { fillIn, load, read } from "../lib/page.mjs";
import { inRepository, MODEL } from "../lib/paths.mjs";

const LIMIT_MS = 200;

const { items } = JSON.parse(readFileSync(inRepository("tests/fixtures/gemma_ref_exact.json"), "utf8"));
const LONG_PROMPT = items.find(({ name }) => name === "long_over_512").prompt;

/** Loads the model on the CPU through the package, into `globalThis.model`. */
async function loadedPackage(context) {
  const page = await context.page("chromium", "/test/package.html");
  await page.waitFor("the package", () => globalThis.rushlight !== undefined);
  await page.evaluate(async (url) => {
    globalThis.model = await globalThis.rushlight.loadModel(url, { backend: "cpu" });
  }, `/models/${MODEL}`);
  return page;
}

/** Aborts an answer after so many pieces or so many milliseconds; gives how long page and worker took to end. */
function abortIn(page, { prompt, pieces, ms }) {
  return page.evaluate(
    async ({ prompt, pieces, ms }) => {
      const controller = new AbortController();
      let aborted;
      const abort = () => {
        aborted = performance.now();
        controller.abort();
      };
      if (ms !== undefined) setTimeout(abort, ms);
      let seen = 0;
      let code;
      try {
        for await (const piece of globalThis.model.generate(prompt, { maxTokens: 200, signal: controller.signal })) {
          if (piece.id !== null) seen++;
          if (seen === pieces) setTimeout(abort, 10); // In the middle of the next token.
        }
      } catch (error) {
        code = error.code;
      }
      const loop = performance.now() - aborted;
      await globalThis.model.memory();
      return { code, seen, loop, worker: performance.now() - aborted };
    },
    { prompt, pieces, ms },
  );
}

function assertPrompt({ code, loop, worker }) {
  assert.equal(code, "ERR_ABORTED");
  assert.ok(loop < LIMIT_MS, `the loop ended after ${loop} ms`);
  assert.ok(worker < LIMIT_MS, `the worker was free after ${worker} ms`);
}

export default [
  {
    name: "stop: decode and prefill on the CPU end within 200 ms, and the model answers again",
    async run(context) {
      const page = await loadedPackage(context);
      const decode = await abortIn(page, { prompt: "Once upon a time", pieces: 2 });
      assertPrompt(decode);
      assert.ok(decode.seen >= 2);
      const prefill = await abortIn(page, { prompt: LONG_PROMPT, ms: 700 });
      assertPrompt(prefill);
      assert.equal(prefill.seen, 0, "the prompt was read before the abort: nothing was shown about prefill");
      const text = await page.evaluate(async () => {
        let text = "";
        for await (const piece of globalThis.model.generate("The capital of France is", { maxTokens: 1 })) text += piece.text;
        return text;
      });
      assert.equal(text, " the");
      return `decode ${decode.worker.toFixed(0)} ms, prefill ${prefill.worker.toFixed(0)} ms`;
    },
  },
  {
    name: "stop: the button ends an answer, and Escape a load",
    async run(context) {
      const page = await context.page("chromium");
      await fillIn(page, { model: "/models/slow.gguf", backend: "cpu", prompt: "One, two, three,", maxTokens: 200 });
      const before = context.server.state.aborted;
      await load(page);
      await page.waitFor("some megabytes", () => /^[1-9][0-9.]* MB of/.test(document.querySelector("#progress-text").textContent));
      await page.evaluate(() => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true })));
      await page.waitFor("the load to end", () => document.body.dataset.state === "idle", undefined, LIMIT_MS);
      assert.equal((await read(page)).status, "Stopped.");
      while (context.server.state.aborted === before) await new Promise((resolve) => setTimeout(resolve, 10));

      await fillIn(page, { model: `/models/${MODEL}` });
      await page.click("#generate");
      await page.waitFor("two tokens", () => document.querySelectorAll("#answer .token").length >= 2);
      const ms = await page.evaluate(async () => {
        const began = performance.now();
        document.querySelector("#stop").click();
        while (document.body.dataset.state !== "ready") await new Promise((resolve) => setTimeout(resolve, 1));
        return performance.now() - began;
      });
      assert.ok(ms < LIMIT_MS, `${ms} ms`);
      const stopped = await read(page);
      assert.equal(stopped.status, "Stopped.");
      assert.ok(stopped.tokens.length < 200);
      assert.equal(stopped.failure, null);
      return `${ms.toFixed(0)} ms`;
    },
  },
];
