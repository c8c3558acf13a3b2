// The page itself: accessible in every state, in light and dark; a dropped file; the policy it runs under.

import assert from "node:assert/strict";

import axe from "axe-core";

import { fillIn, generate, read } from "../lib/page.mjs";
import { modelFile } from "../lib/paths.mjs";

/** What axe-core finds, one line each. */
async function violations(page) {
  await page.evaluate(axe.source);
  const found = await page.evaluate(() => globalThis.axe.run());
  return found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}: ${node.failureSummary}`));
}

export default [
  ...["light", "dark"].map((colorScheme) => ({
    name: `page: accessible before a load and after a failure, ${colorScheme}`,
    async run(context) {
      context.expectProblem(/404/);
      const page = await context.page("chromium", "/", { colorScheme });
      assert.deepEqual(await violations(page), []);
      await page.evaluate(() => (document.querySelector("details").open = true));
      await fillIn(page, { model: "/models/none.gguf" });
      await page.click("#load");
      await page.waitFor("a message", () => !document.querySelector("#failure").hidden);
      assert.deepEqual(await violations(page), []);
    },
  })),
  {
    name: "page: a dropped file is loaded, an answer comes, and the page stays accessible",
    async run(context) {
      const page = await context.page("chromium");
      await page.setFile("#model-file", modelFile());
      await page.waitFor("the model", () => document.body.dataset.state === "ready", undefined, 120_000);
      // The same file as a drop: a real one needs a desktop, so that the event is made here.
      await page.evaluate(() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(document.querySelector("#model-file").files[0]);
        for (const type of ["dragover", "drop"]) {
          document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }
      });
      await page.waitFor("a load from the drop", () => document.querySelector("#drop").hidden && document.body.dataset.state !== "idle");
      await page.waitFor("the model", () => document.body.dataset.state === "ready", undefined, 120_000);
      await fillIn(page, { prompt: "The capital of France is", maxTokens: 3 });
      const { failure, tokens, facts, state } = await generate(page);
      assert.equal(failure, null, failure?.text);
      assert.equal(state, "ready");
      assert.equal(tokens.length, 3);
      for (const fact of ["backend", "reason", "memory", "decode", "first-token-ms"]) assert.ok(facts[fact]?.text, fact);
      assert.deepEqual(await violations(page), []);
    },
  },
  {
    name: "page: its policy allows no inline script and no eval",
    async run(context) {
      context.expectProblem(/Content Security Policy/);
      const page = await context.page("chromium");
      const outcome = await page.evaluate(() => {
        const script = document.createElement("script");
        script.textContent = "globalThis.injected = true";
        document.head.append(script);
        const policy = document.querySelector("meta[http-equiv]").content;
        return { injected: globalThis.injected === true, policy, isolated: globalThis.crossOriginIsolated };
      });
      assert.equal(outcome.injected, false);
      assert.match(outcome.policy, /script-src 'self' 'wasm-unsafe-eval';/);
      assert.ok(outcome.isolated);
      assert.equal((await read(page)).failure, null);
    },
  },
];
