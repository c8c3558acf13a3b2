// The page itself with the real package: accessible before a load, after a failure, after an answer; a dropped model; the policy it
// runs under; what a visitor waits for before anything is seen. Its states in pictures are in screens.mjs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

import { violations } from "../lib/axe.mjs";
import { failed, fillIn, generate, load, open, read } from "../lib/page.mjs";
import { inRepository, modelFile } from "../lib/paths.mjs";

/** Bytes, gzipped, that may come before something is seen. */
const FIRST_PAINT_BYTES = 100_000;

export default [
  ...["light", "dark"].map((colorScheme) => ({
    name: `page: accessible before a load and after a failure, ${colorScheme}`,
    async run(context) {
      context.expectProblem(/404/);
      const page = await context.page("chromium", "/", { colorScheme });
      for (const part of ["ask", "chat", "playground", "models", "device"]) {
        await open(page, part);
        assert.deepEqual(await violations(page), [], part);
      }
      await fillIn(page, { model: "/models/none.gguf" });
      await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
      await load(page);
      await page.waitFor("a message", failed);
      assert.deepEqual(await violations(page), []);
    },
  })),
  {
    name: "page: a dropped file is loaded, an answer comes, and the page stays accessible",
    async run(context) {
      const page = await context.page("chromium");
      await open(page, "models");
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
      for (const part of ["playground", "device"]) {
        await open(page, part);
        assert.deepEqual(await violations(page), [], part);
      }
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
  {
    name: "page: it is there after less than 100 kB gzipped and before any wasm",
    async run(context) {
      const page = await context.page("chromium", "/test/package.html");
      const paths = [];
      page.playwright.on("request", (request) => paths.push(new URL(request.url()).pathname));
      await page.goto(context.url("/"));
      await page.waitFor("the page", () => document.querySelector("#question") !== null);
      await page.waitFor("a paint", () => performance.getEntriesByName("first-contentful-paint").length > 0);
      await page.waitFor("the load", () => document.readyState === "complete");
      const loaded = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname));
      const needed = [...new Set(["/", ...paths, ...loaded])].filter((path) => path !== "/sw.js");
      assert.deepEqual(needed.filter((path) => path.endsWith(".wasm")), []);
      const sizes = needed.map((path) => gzipSync(readFileSync(inRepository("www/dist", path === "/" ? "index.html" : path)), { level: 9 }).length);
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      assert.ok(needed.length >= 3, `only ${needed.join(", ")} were fetched`);
      assert.ok(bytes < FIRST_PAINT_BYTES, `${bytes} bytes: ${needed.join(", ")}`);
      return `${bytes} bytes gzipped in ${needed.length} files`;
    },
  },
];
