// A document of more sentences than are embedded at once, with Gemma and MiniLM in the tab: the first answer waits for what it needs, the
// rest goes on behind it and gives way to every question, and after a reload all of it is there.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";

import { MODEL, inRepository } from "../lib/paths.mjs";

/** Sentences that are embedded before the first answer: `FIRST` of `src/tasks/ask/index.rs`, and what ends a passage. */
const FIRST = 256 + 40;
/** From a question to the moment when nothing goes on in the background any more. */
const DELAY_MS = 50;

/** Something to ask about among much that says nothing. */
function madeUp() {
  const filler = (from, to) => Array.from({ length: to - from }, (_, at) => `Shelf ${from + at} holds ordinary paper and some string.`).join(" ");
  return `${filler(0, 640)}\n\nThe lamp of the eastern tower was lit by Ishbel MacRae. It burns whale oil.\n\n${filler(640, 700)}`;
}

async function loaded(page) {
  await page.waitFor("the package", () => globalThis.rushlight !== undefined);
  await page.evaluate(async (url) => {
    const { loadModel } = globalThis.rushlight;
    globalThis.model = await loadModel(url, { backend: "cpu" });
    globalThis.embedder = await loadModel("/minilm/", { backend: "cpu" });
    /** Asks; what was heard of the background comes later. */
    globalThis.heard = [];
    globalThis.ask = async (text, question) => {
      const stages = [];
      const began = performance.now();
      const answer = await globalThis.model.ask(question, {
        documents: [{ title: "tower.txt", text }],
        embedder: globalThis.embedder,
        onStage: ({ stage, done, total }) => stages.push({ stage, done, total }),
        index: { onProgress: ({ done, total }) => globalThis.heard.push({ done, total, at: performance.now() }) },
      });
      const embedded = stages.findLast(({ stage }) => stage === "embed").total;
      return { answer: answer.answer, confidence: answer.confidence, embedded, ms: performance.now() - began, began };
    };
  }, `/models/${MODEL}`);
}

const whole = () => globalThis.heard.length > 0 && globalThis.heard.at(-1).done === globalThis.heard.at(-1).total;

export default [
  {
    name: "long document: the first answer waits for what it needs, the rest gives way, and a reload finds all of it",
    async run(context) {
      const page = await context.page("chromium", "/test/package.html");
      await loaded(page);
      const text = madeUp();
      const ask = (question) => page.evaluate(({ text, question }) => globalThis.ask(text, question), { text, question });
      const first = await ask("Who lit the lamp of the eastern tower?");
      assert.equal(first.answer, "Ishbel MacRae");
      assert.ok(first.embedded >= 256 && first.embedded < FIRST, `${first.embedded} sentences`);
      await page.waitFor("something behind it", () => globalThis.heard.length > 1);
      const second = await ask("What does the lamp of the eastern tower burn?");
      assert.match(second.answer, /whale oil/);
      const late = await page.evaluate(
        ({ began, ms }) => Math.max(0, ...globalThis.heard.filter(({ at }) => at > began && at < began + ms).map(({ at }) => at - began)),
        second,
      );
      assert.ok(late < DELAY_MS, `the background was heard of ${late} ms after the question`);
      await page.waitFor("all of it", whole, undefined, 120_000);
      const after = await ask("Who lit the lamp of the eastern tower?");
      assert.deepEqual([after.answer, after.embedded], ["Ishbel MacRae", 0]);
      const kept = await page.evaluate(async () => await globalThis.rushlight.indexes.list());
      assert.deepEqual(kept.map(({ title, sentences, done }) => [title, sentences, done]), [["tower.txt", 702, 702]]);
      await page.goto(context.url("/test/package.html"));
      await loaded(page);
      const again = await ask("Who lit the lamp of the eastern tower?");
      assert.deepEqual([again.answer, again.confidence, again.embedded], [after.answer, after.confidence, 0]);
      const [deleted, left] = await page.evaluate(async (name) => {
        const { indexes } = globalThis.rushlight;
        return [await indexes.delete(name), await indexes.list()];
      }, kept[0].name);
      assert.deepEqual([deleted, left], [true, []]);
      return `${first.embedded} of 702 sentences first; the background gave way after ${late.toFixed(0)} ms`;
    },
  },
  {
    // Only where somebody has put it there: see tests/fixtures/qa/policy.json.
    name: "long document: Debian's policy manual, timed",
    async run(context) {
      const file = process.env.RUSHLIGHT_MANUAL ?? inRepository("target/policy.txt");
      if (!existsSync(file)) return `left out: no manual at ${file}`;
      const page = await context.page("chromium", "/test/package.html");
      const text = readFileSync(file, "utf8");
      const ask = (question) => page.evaluate(({ text, question }) => globalThis.ask(text, question), { text, question });
      const from = async () => {
        const began = performance.now();
        await loaded(page);
        const { answer, embedded } = await ask("What is the system-wide mail directory?");
        assert.match(answer, /\/var\/mail/);
        return `${((performance.now() - began) / 1000).toFixed(1)} s, of them ${embedded} sentences`;
      };
      // So that the models are in the store.
      await loaded(page);
      await page.goto(context.url("/test/package.html"));
      const first = await from();
      const second = await ask("How should manual pages be compressed?");
      await page.waitFor("all of it", whole, undefined, 30 * 60_000);
      await page.goto(context.url("/test/package.html"));
      const again = await from();
      return `first ${first}; second ${(second.ms / 1000).toFixed(1)} s; after a reload ${again}`;
    },
  },
];
