// Conversations in the tab: turns run only what is new, kept ones go on after a reload, a frame that was computed natively is taken
// up; and plans say what a load then takes.

import assert from "node:assert/strict";

import { MODEL } from "../lib/paths.mjs";
import { writeSmallModels } from "../lib/small_models.mjs";

const CHAT = "/small-models/chat.gguf";

async function packagePage(context, browser) {
  writeSmallModels();
  const page = await context.page(browser, "/test/package.html");
  await page.waitFor("the package", () => globalThis.rushlight !== undefined);
  await page.evaluate(() => {
    globalThis.said = async (generation) => {
      let text = "";
      for await (const piece of generation) text += piece.text;
      return { text, stats: generation.stats };
    };
    // Letters alone: random bytes would not come back as the same tokens.
    const letters = Array.from({ length: 331 }, (_, id) => [id, id >= 68 && id <= 93 ? 0 : Number.NEGATIVE_INFINITY]);
    globalThis.options = { maxTokens: 8, temperature: 1.5, seed: 5, logitBias: Object.fromEntries(letters) };
  });
  return page;
}

function turns(browser, load) {
  return {
    name: `chat: ${browser} ${load.backend}, ${load.build ?? "auto"}: turns, kept and taken up again`,
    async run(context) {
      const page = await packagePage(context, browser);
      const result = await page.evaluate(
        async ({ url, load }) => {
          const { loadModel, plan } = globalThis.rushlight;
          const { said, options } = globalThis;
          const planned = await plan(url, load);
          let model = await loadModel(url, load);
          const { info } = model;
          const memory = await model.memory();
          const fresh = await loadModel(url, load);
          const messages = [
            { role: "system", content: "the capital of France is hello" },
            { role: "user", content: "hello" },
          ];
          const turns = [];
          const turn = async (content) => {
            const got = await said(model.chat(messages, options));
            const expected = await said(fresh.chat(messages, { ...options, reuse: false }));
            turns.push({ got, expected });
            messages.push({ role: "assistant", content: got.text }, { role: "user", content });
          };
          await turn("and of hello");
          await turn("the capital");
          await model.save("a conversation / of two");
          model.dispose();
          model = await loadModel(url, load);
          const restored = [await model.restore("a conversation / of two"), await model.restore("another")];
          await turn("end");
          // A frame from the terminal, in place of it all.
          await model.restoreFrom("/small-models/chat.prefix");
          messages.splice(1, Infinity, { role: "user", content: "hello" });
          await turn("end");
          model.dispose();
          fresh.dispose();
          const failures = [];
          const fails = async (promise) => failures.push(await promise.then(() => "", (error) => error.code));
          const other = await loadModel("/small-models/llama-f16-64-factors.gguf", load);
          await fails(other.restore("a conversation / of two"));
          await fails(other.restoreFrom("/small-models/chat.gguf"));
          await fails(other.save("nothing"));
          await fails(said(other.chat(messages, options)));
          const without = other.info.chat;
          other.dispose();
          return { planned, info, memory, turns, restored, failures, without };
        },
        { url: CHAT, load },
      );
      const { planned, info, memory, turns, restored, failures, without } = result;
      for (const [index, { got, expected }] of turns.entries()) {
        assert.equal(got.text, expected.text, `turn ${index}`);
        assert.equal(expected.stats.cachedTokens, 0);
      }
      const cached = turns.map(({ got }) => got.stats.cachedTokens);
      // All of the turn before, its answer included but for the last token, which was never run; also after the reload.
      const held = turns.map(({ got }) => got.stats.promptTokens + got.stats.tokens - 1);
      assert.deepEqual(cached.slice(0, 3), [0, held[0], held[1]]);
      assert.ok(cached[3] > 20 && cached[3] < turns[3].got.stats.promptTokens, `${cached[3]} of the frame`);
      assert.deepEqual(restored, [true, false]);
      assert.deepEqual(failures, ["ERR_OTHER_MODEL", "ERR_BAD_FILE", "ERR_BAD_ARGUMENT", "ERR_NO_TEMPLATE"]);
      assert.deepEqual([info.chat, without], [true, false]);

      assert.equal(planned.ok, true, planned.reason);
      assert.deepEqual([planned.code, planned.chat, planned.quantisation], [null, true, "BF16"]);
      for (const key of ["name", "architecture", "parameters", "context", "trainedContext"]) assert.equal(planned[key], info[key], key);
      assert.equal(planned.fileBytes, info.bytes);
      assert.equal(planned.backend.kind, info.backend.kind);
      assert.equal(planned.backend.reason, info.backend.reason);
      const all = memory.weights + memory.kv + memory.scratch + memory.tokenizer;
      const near = info.backend.kind === "cpu" ? 0 : 0.3;
      assert.ok(Math.abs(planned.memoryBytes - all) <= near * all, `${planned.memoryBytes} planned, ${all} held`);
      assert.ok(planned.tokensPerSecond > 0);
      return `${cached.join(", ")} tokens cached; ${planned.tokensPerSecond.toFixed(0)} tokens/s expected`;
    },
  };
}

function prefixes(browser) {
  return {
    name: `chat: ${browser}: a prefix comes with the model, is kept with it, and has to be its own`,
    async run(context) {
      const page = await packagePage(context, browser);
      const { state } = context.server;
      const load = (model) =>
        page.evaluate(async (model) => {
          const { cache, loadModel } = globalThis.rushlight;
          const { said, options } = globalThis;
          const messages = [
            { role: "system", content: "the capital of France is hello" },
            { role: "user", content: "and of hello" },
          ];
          try {
            let progress;
            const onProgress = (now) => (progress = now);
            const framed = await loadModel(model, { backend: "cpu", prefix: "/small-models/chat.prefix", onProgress });
            const { bytes } = framed.info;
            const got = await said(framed.chat(messages, options));
            const expected = await said(framed.chat(messages, { ...options, reuse: false }));
            framed.dispose();
            const kept = (await cache.list()).filter(({ complete }) => complete).map(({ url }) => new URL(url).pathname);
            return { got, expected, kept, progress, bytes };
          } catch (error) {
            return { code: error.code, message: error.message };
          }
        }, model);
      const check = ({ got, expected, kept, progress, bytes, message }) => {
        assert.equal(message, undefined);
        assert.equal(progress.loaded, progress.total);
        assert.ok(progress.total > bytes, "the prefix is counted");
        assert.equal(got.text, expected.text);
        assert.equal(expected.stats.cachedTokens, 0);
        const { cachedTokens, promptTokens } = got.stats;
        assert.ok(cachedTokens > 20 && cachedTokens < promptTokens, `${cachedTokens} of ${promptTokens} tokens`);
        for (const path of [CHAT, "/small-models/chat.prefix"]) assert.ok(kept.includes(path), `${path} in ${kept.join()}`);
        return cachedTokens;
      };
      const cached = check(await load(CHAT));
      try {
        // Both from the store, with the server gone.
        state.intercept = ({ url }, answer) => url.startsWith("/small-models/") && Boolean(answer.destroy());
        context.expectProblem(/net::ERR|Failed to load resource|NS_ERROR|NetworkError/);
        const again = await load(CHAT);
        assert.equal(check(again), cached);
        assert.equal(again.progress.cached, again.progress.total);
      } finally {
        state.intercept = undefined;
      }
      assert.equal((await load("/small-models/llama-f16-64-factors.gguf")).code, "ERR_OTHER_MODEL");
      return `${cached} tokens of the prefix`;
    },
  };
}

const plans = {
  name: "chat: chromium plans Gemma from its first bytes",
  async run(context) {
    const page = await packagePage(context, "chromium");
    const { state } = context.server;
    const aborted = state.aborted;
    const seen = await page.evaluate(async (url) => {
      const { plan } = globalThis.rushlight;
      const began = performance.now();
      const planned = await plan(url, { backend: "cpu", context: 1024 });
      const ms = performance.now() - began;
      const wrong = [];
      for (const from of ["/models/bad-magic.gguf", "/models/header-only.gguf", "/models/none.gguf"]) wrong.push((await plan(from)).code);
      wrong.push((await plan(url, { context: 10_000_000 })).code);
      const software = await plan(url);
      return { planned, ms, wrong, software };
    }, `/models/${MODEL}`);
    const { planned, ms, wrong, software } = seen;
    context.expectProblem(/404/);
    assert.ok(planned.ok, planned.reason);
    assert.deepEqual([planned.quantisation, planned.architecture, planned.context], ["Q4_K_M", "gemma3", 1024]);
    assert.deepEqual([planned.fileBytes, planned.fetchBytes], [253113024, 253113024]);
    assert.ok(planned.memoryBytes > 250e6 && planned.memoryBytes < 400e6, `${planned.memoryBytes} bytes`);
    assert.ok(planned.tokensPerSecond > 0.5 && planned.tokensPerSecond < 500, `${planned.tokensPerSecond} tokens/s`);
    // This server knows no ranges: its stream was ended.
    assert.ok(state.aborted > aborted, "the rest of the file was not fetched");
    assert.deepEqual(wrong, ["ERR_BAD_FILE", "ERR_BAD_FILE", "ERR_NETWORK", "ERR_BAD_ARGUMENT"]);
    assert.equal(software.backend.kind, "cpu");
    assert.match(software.reason, /software/);
    return `${planned.tokensPerSecond.toFixed(1)} tokens/s expected, in ${ms.toFixed(0)} ms`;
  },
};

export default [
  turns("chromium", { backend: "cpu", build: "compat" }),
  turns("chromium", { backend: "cpu", build: "full", threads: 2 }),
  turns("firefox", { backend: "cpu" }),
  turns("chromium", { backend: "gpu" }),
  prefixes("chromium"),
  prefixes("firefox"),
  plans,
];
