// A real chat model in the tab: SmolLM2-135M-Instruct greets, answers three turns of which only what is new runs, goes on after a
// reload, and goes on when the conversation has outgrown the context.

import assert from "node:assert/strict";

import { SMOLLM } from "../lib/paths.mjs";

const URL = `/models/${SMOLLM}`;

const PAGE = "/test/package.html";

/** Waits for the package in a page that has just been loaded. */
async function ready(page) {
  await page.waitFor("the package", () => globalThis.rushlight !== undefined);
  await page.evaluate(() => {
    globalThis.said = async (generation) => {
      let text = "";
      for await (const piece of generation) text += piece.text;
      return { text, stats: generation.stats };
    };
  });
}

function conversation(browser) {
  return {
    name: `SmolLM2 chats: ${browser}: three turns, reuse, kept over a reload, more than the context holds`,
    async run(context) {
      const exact = { backend: "cpu", precision: "exact", kv: "f32", context: 1024 };
      const page = await context.page(browser, PAGE);
      await ready(page);
      const first = await page.evaluate(
        async ({ url, load }) => {
          const { said, rushlight } = globalThis;
          const model = await rushlight.loadModel(url, load);
          const greeting = await said(model.chat([{ role: "user", content: "Hello" }], { maxTokens: 24 }));
          const messages = [];
          const turns = [];
          for (const content of ["Name three colours.", "Which of them is the colour of grass?", "Name a fruit of that colour."]) {
            messages.push({ role: "user", content });
            turns.push(await said(model.chat(messages, { maxTokens: 16 })));
            messages.push({ role: "assistant", content: turns.at(-1).text });
          }
          await model.save("colours");
          const { chat } = model.info;
          model.dispose();
          return { greeting, messages, turns, chat };
        },
        { url: URL, load: exact },
      );
      assert.equal(first.chat, true);
      // What llama.cpp says with everything in F32.
      assert.equal(first.greeting.text, "Hello! How can I assist you today?");
      assert.equal(first.greeting.stats.reason, "stop");
      assert.equal(first.greeting.stats.droppedTurns, 0);
      for (const [index, { stats }] of first.turns.entries()) {
        const before = index > 0 ? first.turns[index - 1].stats.promptTokens : 0;
        assert.ok(stats.cachedTokens >= before, `turn ${index}: ${stats.cachedTokens} of ${stats.promptTokens} tokens cached`);
      }

      await page.goto(context.url(PAGE));
      await ready(page);
      const later = await page.evaluate(
        async ({ url, load, messages }) => {
          const { said, rushlight } = globalThis;
          const model = await rushlight.loadModel(url, load);
          const restored = await model.restore("colours");
          messages.push({ role: "user", content: "Thank you." });
          const next = await said(model.chat(messages, { maxTokens: 8 }));
          model.dispose();
          // A context of 200 positions is soon used up.
          const small = await rushlight.loadModel(url, { ...load, context: 200, precision: "fast", kv: "f16" });
          const long = [{ role: "system", content: "You answer in one short sentence." }];
          const dropped = [];
          for (let turn = 0; turn < 6; turn += 1) {
            long.push({ role: "user", content: `Tell me something about the number ${turn}, please.` });
            const { text, stats } = await said(small.chat(long, { maxTokens: 24, overflow: "trim" }));
            dropped.push(stats.droppedTurns);
            long.push({ role: "assistant", content: text });
          }
          long.push({ role: "user", content: "And now?" });
          const refused = await said(small.chat(long, { maxTokens: 24 })).then(() => "", (error) => error.code);
          small.dispose();
          return { restored, next, dropped, refused };
        },
        { url: URL, load: exact, messages: first.messages },
      );
      const { restored, next, dropped, refused } = later;
      assert.equal(restored, true);
      const all = first.turns.at(-1).stats.promptTokens;
      assert.ok(next.stats.cachedTokens >= all, `${next.stats.cachedTokens} of ${next.stats.promptTokens} tokens cached`);
      assert.ok(dropped[0] === 0 && dropped.at(-1) > 0, dropped.join(", "));
      assert.deepEqual(dropped, dropped.toSorted((a, b) => a - b));
      assert.equal(refused, "ERR_CONTEXT");
      return `${next.stats.cachedTokens} of ${next.stats.promptTokens} tokens from the kept conversation; dropped ${dropped.join(", ")}`;
    },
  };
}

export default [conversation("chromium"), conversation("firefox")];
