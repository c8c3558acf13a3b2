// Which build of the core runs on how many threads; that nothing hangs where a thread cannot start or traps; that threads end
// with their model.

import assert from "node:assert/strict";

import { requireBuilt } from "../lib/paths.mjs";
import { writeSmallModels } from "../lib/small_models.mjs";
import { workerThreads } from "../lib/worker_threads.mjs";

const MODEL = "/small-models/gemma3-f32-64.gguf";

async function packagePage(context, browser) {
  writeSmallModels();
  const page = await context.page(browser, "/test/package.html");
  await page.waitFor("the package", () => globalThis.rushlight !== undefined);
  return page;
}

/** Loads the small model on the CPU, lets it answer, and disposes of it: what ran it, and the text. */
function answer(page, options = {}) {
  return page.evaluate(
    async ({ url, options }) => {
      const model = await globalThis.rushlight.loadModel(url, { backend: "cpu", ...options });
      let text = "";
      for await (const piece of model.generate("hello of the capital", { maxTokens: 24 })) text += piece.text;
      model.dispose();
      return { backend: model.info.backend, text, cores: navigator.hardwareConcurrency };
    },
    { url: MODEL, options },
  );
}

/** Changes what the server does for one test. */
function withServer(context, changes, run) {
  const { state } = context.server;
  const before = { ...state };
  Object.assign(state, changes);
  return run().finally(() => Object.keys(changes).forEach((name) => (state[name] = before[name])));
}

function choice(browser) {
  return {
    name: `threads: ${browser} takes the full build, as many threads as it has cores, and no more than asked for`,
    async run(context) {
      const page = await packagePage(context, browser);
      const { backend, text, cores } = await answer(page);
      assert.equal(backend.build, "full");
      assert.equal(backend.threads, Math.min(cores, 8));
      const one = await answer(page, { threads: 1 });
      assert.equal(one.backend.threads, 1);
      assert.equal((await answer(page, { threads: 1000 })).backend.threads, cores);
      const compat = await answer(page, { build: "compat", threads: 2 });
      assert.deepEqual([compat.backend.build, compat.backend.threads], ["compat", 1]);
      // Exactly: a sum does not depend on who computes it.
      assert.equal(one.text, text);
      assert.ok(text.length > 0);
      return `${backend.device}`;
    },
  };
}

function alone(browser) {
  return {
    name: `threads: ${browser}: a page that is not cross-origin isolated has one thread`,
    run: (context) =>
      withServer(context, { isolated: false }, async () => {
        const page = await packagePage(context, browser);
        assert.equal(await page.evaluate(() => globalThis.crossOriginIsolated), false);
        const { backend, text } = await answer(page, { threads: 2 });
        assert.equal(backend.threads, 1);
        assert.ok(text.length > 0);
        return `build ${backend.build}`;
      }),
  };
}

function missing(browser) {
  return {
    name: `threads: ${browser}: where pool workers cannot start, the model runs on fewer threads and says so`,
    run: (context) =>
      withServer(context, { missing: /pool-worker/ }, async () => {
        context.expectProblem(/404|pool-worker\.js/);
        const page = await packagePage(context, browser);
        const { backend, text } = await answer(page, { threads: 2 });
        assert.deepEqual([backend.build, backend.threads], ["full", 1]);
        assert.ok(text.length > 0);
      }),
  };
}

function trap(browser) {
  return {
    name: `threads: ${browser}: a task that panics on another thread ends the call, with the panic's words`,
    async run(context) {
      requireBuilt("pkg/wasm-selftest/full/rushlight_bg.wasm");
      context.expectProblem(/unreachable|RuntimeError/);
      const page = await context.page(browser, "/test/selftest.html?build=full&threads=2");
      await page.waitFor("the selftest build", () => globalThis.selftest !== undefined);
      const { trapped, panic } = await page.evaluate(() => globalThis.selftest.trapInPool());
      assert.ok(trapped);
      assert.match(panic, /a task of the test/);
    },
  };
}

/** Chromium alone: in Firefox with a driver attached a worker that starts workers may hang, which is why the page starts them. */
const elsewhere = {
  name: "threads: chromium: an engine's worker from elsewhere finds the threads that the page does not",
  async run(context) {
    context.expectProblem(/404/);
    let asked = 0;
    const intercept = (request, answer, headers) => {
      if (!request.url.includes("pool-worker") || ++asked > 1) return false;
      answer.writeHead(404, { ...headers, "content-type": "text/plain" }).end("not found");
      return true;
    };
    return await withServer(context, { intercept }, async () => {
      const page = await packagePage(context, "chromium");
      const backend = await page.evaluate(async (url) => {
        const worker = (build) => new Worker(`/pkg/dist/worker-${build}.js`, { type: "module" });
        const model = await globalThis.rushlight.loadModel(url, { backend: "cpu", threads: 2, worker });
        model.dispose();
        return model.info.backend;
      }, MODEL);
      assert.deepEqual([backend.build, backend.threads, asked], ["full", 2, 2]);
    });
  },
};

export default [
  trap("chromium"),
  trap("firefox"),
  choice("chromium"),
  choice("firefox"),
  alone("chromium"),
  alone("firefox"),
  missing("chromium"),
  missing("firefox"),
  elsewhere,
  {
    name: "threads: chromium: dispose ends them all, also while they work, twenty times",
    async run(context) {
      const page = await packagePage(context, "chromium");
      const before = workerThreads();
      for (let round = 0; round < 20; round++) {
        await page.evaluate(async (url) => {
          const model = await globalThis.rushlight.loadModel(url, { backend: "cpu", threads: 2 });
          globalThis.answer = model.generate("hello", { maxTokens: 200 })[Symbol.asyncIterator]();
          await globalThis.answer.next();
          globalThis.model = model;
        }, MODEL);
        assert.ok(workerThreads() >= before + 2, "the engine's worker and one of the pool");
        await page.evaluate(() => globalThis.model.dispose());
      }
      const end = Date.now() + 10_000;
      while (workerThreads() > before && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(workerThreads(), before);
    },
  },
];
