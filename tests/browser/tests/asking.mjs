// A question and what comes of it on the page: the answer marked where it stands, ways to it, what a screen reader hears, and every
// kind of bad input in words. The package is a stand-in here; with the real one this is asking_real.mjs.

import assert from "node:assert/strict";

import { violations } from "../lib/axe.mjs";
import { failed, open, read } from "../lib/page.mjs";
import { scriptedPage } from "../lib/scripted_page.mjs";

const idle = () => !["loading", "generating"].includes(document.body.dataset.state);

async function withSample(context, fragment) {
  const page = await scriptedPage(context, fragment);
  await page.playwright.getByRole("button", { name: "Try a sample" }).click();
  await page.waitFor("the sample", () => document.querySelector("#reader") !== null);
  return page;
}

async function ask(page, question) {
  await page.fill("#question", question);
  await page.playwright.locator("#question").press("Enter");
  await page.waitFor("an answer", () => document.querySelector("#found-text") !== null);
  await page.waitFor("the end", idle);
}

/** Expects a failure with a code, in words. */
async function expectFailure(page, code, words) {
  await page.waitFor("a message", (code) => document.querySelector("#failure").dataset.code === code, code);
  const { failure } = await read(page);
  assert.match(failure.text, words);
  assert.match(failure.text, new RegExp(`${code}: .`));
}

function refused(what, failure, words, where = "ask") {
  return {
    name: `asking: ${what} is a sentence and a code`,
    async run(context) {
      const page = await withSample(context);
      await page.evaluate(([where, failure]) => (globalThis.scripted.fail[where] = failure), [where, failure]);
      await page.fill("#question", "When are dogs allowed?");
      await page.click("#ask-button");
      await expectFailure(page, failure.code, words);
      await page.waitFor("the end", idle);
      // The page works on.
      await ask(page, "When are dogs allowed?");
      const { failure: after } = await read(page);
      assert.equal(after, null);
    },
  };
}

export default [
  {
    name: "asking: the answer is marked where it stands, with its confidence and a way to it",
    async run(context) {
      const page = await withSample(context);
      await ask(page, "When are dogs allowed?");
      const shown = await page.evaluate(() => {
        const reader = document.querySelector("#reader");
        const mark = reader.querySelector("mark.source");
        const box = mark.getBoundingClientRect();
        const around = reader.getBoundingClientRect();
        return {
          answer: document.querySelector("#found-text").textContent,
          mark: mark.textContent,
          before: reader.textContent.slice(0, reader.textContent.indexOf(mark.textContent)).slice(-21),
          start: Number(mark.dataset.start),
          seen: box.top >= around.top && box.bottom <= around.bottom,
          text: reader.textContent,
          confidence: document.querySelector("#confidence").value,
          read: reader.querySelectorAll(".read").length,
          heard: document.querySelector("#status").textContent,
        };
      });
      assert.equal(shown.answer, "from September to April");
      assert.equal(shown.mark, shown.answer);
      assert.equal(shown.before, "ne. Dogs are welcome ");
      assert.equal(shown.text.slice(shown.start, shown.start + shown.mark.length), shown.mark, "offsets are those of the text");
      assert.ok(shown.seen, "the document is scrolled to it");
      assert.equal(shown.confidence, 0.87);
      assert.ok(shown.read > 0, "what was read is marked too");
      assert.equal(shown.heard, "Answer: from September to April");
      await page.playwright.getByRole("button", { name: "Keeper’s handbook.md" }).last().click();
      await page.waitFor("the focus on the words", (words) => document.activeElement.textContent === words, shown.mark);
    },
  },
  {
    name: "asking: a long document is gone through behind its answer, until that is stopped, or the document or the machine is needed",
    async run(context) {
      const page = await withSample(context);
      const shown = () => document.querySelector("#indexing") !== null;
      const gone = () => document.querySelector("#indexing") === null;
      const stopped = () => page.evaluate(() => globalThis.scripted.calls.filter(({ call }) => call === "stopped").length);
      await page.evaluate(() => (globalThis.scripted.behind = 20));
      await ask(page, "When are dogs allowed?");
      await page.waitFor("the end of it", gone);
      assert.equal(await stopped(), 0);
      await page.evaluate(() => (globalThis.scripted.behind = 100_000));
      const begin = async () => {
        await ask(page, "When are dogs allowed?");
        await page.waitFor("how far it is", shown);
        assert.match(await page.evaluate(() => document.querySelector("#indexing-text").textContent), /of 100,000 sentences/);
      };
      await begin();
      assert.deepEqual(await violations(page), []);
      await page.click("#stop-indexing");
      await page.waitFor("nothing", gone);
      await begin();
      await page.playwright.getByRole("button", { name: /^Remove/ }).first().click();
      await page.waitFor("nothing", gone);
      await page.playwright.getByRole("button", { name: "Try a sample" }).click();
      await begin();
      await open(page, "playground");
      await page.fill("#prompt", "The capital of France is");
      await page.click("#generate");
      await page.waitFor("an end of all three", (count) => globalThis.scripted.calls.filter(({ call }) => call === "stopped").length === count, 3);
    },
  },
  {
    name: "asking: what is kept of long documents is listed and deleted",
    async run(context) {
      const page = await scriptedPage(context);
      await page.evaluate(() => {
        const kept = (name, title, done) => ({ name, title, bytes: 6_300_000, sentences: 4000, done, lastUsed: Date.now() - 7_200_000 });
        globalThis.scripted.indexes = [kept("a", "policy.txt", 4000), kept("b", "", 1200)];
      });
      await open(page, "models");
      const lines = () => [...document.querySelectorAll("[aria-labelledby=kept-documents-title] .kept-name")].map((each) => each.textContent);
      await page.waitFor("two lines", () => document.querySelectorAll("[aria-labelledby=kept-documents-title] li").length === 2);
      assert.deepEqual(await page.evaluate(lines), ["policy.txt4,000 sentences", "Untitled1,200 of 4,000 sentences"]);
      assert.deepEqual(await violations(page), []);
      await page.playwright.getByRole("button", { name: "Delete what is kept of policy.txt" }).click();
      await page.waitFor("one line", () => document.querySelectorAll("[aria-labelledby=kept-documents-title] li").length === 1);
      await page.playwright.getByRole("button", { name: "Delete what is kept of Untitled" }).click();
      await page.waitFor("none", () => document.querySelector("#kept-documents-title") === null);
      const deleted = await page.evaluate(() => globalThis.scripted.calls.flatMap(({ call, name }) => (call === "indexes.delete" ? [name] : [])));
      assert.deepEqual(deleted, ["a", "b"]);
    },
  },
  {
    name: "asking: where the documents don't answer, the page says so and shows what comes nearest",
    async run(context) {
      const page = await withSample(context);
      await ask(page, "Who built the tower?");
      const shown = await page.evaluate(() => ({
        text: document.querySelector("#found-text").textContent,
        marks: document.querySelectorAll("#reader mark").length,
        passages: document.querySelectorAll("#found blockquote").length,
        heard: document.querySelector("#status").textContent,
      }));
      assert.equal(shown.text, "This document doesn’t answer that.");
      assert.equal(shown.marks, 0);
      assert.ok(shown.passages > 0);
      assert.equal(shown.heard, "The documents don’t answer this.");
    },
  },
  {
    name: "asking: a free answer streams, and a screen reader hears it by sentences",
    async run(context) {
      const page = await withSample(context);
      await page.select("#ask-mode", "free");
      await ask(page, "How much water does the cistern hold?");
      const { text, heard, calls } = await page.evaluate(() => ({
        text: document.querySelector("#found-text").textContent,
        heard: [...document.querySelectorAll("#announced p")].map((each) => each.textContent),
        calls: globalThis.scripted.calls.filter(({ call }) => call === "ask"),
      }));
      assert.equal(text, "It is said there: 4,000 litres.");
      assert.deepEqual(heard, ["It is said there: 4,000 litres."]);
      assert.equal(calls[0].mode, "free");
      assert.equal(calls[0].documents[0].title, "Keeper’s handbook.md");
    },
  },
  {
    name: "asking: all by keyboard; Escape stops it; the embedding model is used where one is named",
    async run(context) {
      const page = await withSample(context, "?embedder=/minilm/");
      const { keyboard } = page.playwright;
      await page.playwright.locator("#question").focus();
      await page.evaluate(() => (globalThis.scripted.hold = "read"));
      await keyboard.type("When are dogs allowed?");
      await keyboard.press("Enter");
      await page.waitFor("passages", () => /3 of 6 passages/.test(document.querySelector("#progress-text").textContent));
      await keyboard.press("Escape");
      await page.waitFor("the end", idle);
      assert.equal((await read(page)).status, "Stopped.");
      assert.equal((await read(page)).failure, null);
      await page.evaluate(() => (globalThis.scripted.hold = undefined));
      await keyboard.press("Enter");
      await page.waitFor("an answer", () => document.querySelector("#found-text") !== null);
      const calls = await page.evaluate(() => globalThis.scripted.calls);
      assert.deepEqual(calls.filter(({ call }) => call === "loadModel").map(({ from }) => from), ["models/gemma-3-270m-q4_k_m.gguf", "/minilm/"]);
      assert.ok(calls.filter(({ call }) => call === "ask").every(({ embedder }) => embedder));
      // On to the button of the answer's place, and into the document.
      for (let presses = 0; presses < 20; presses++) {
        await keyboard.press("Tab");
        if (await page.evaluate(() => document.activeElement.closest("#found .sources") !== null)) break;
      }
      await keyboard.press("Enter");
      await page.waitFor("the focus on the words", () => document.activeElement.matches("#reader mark.source"));
    },
  },
  {
    name: "asking: without a model that finds passages they are found by words, and the answer says so",
    async run(context) {
      const page = await withSample(context);
      await page.evaluate(() => (globalThis.scripted.fail.embedder = { code: "ERR_NETWORK", message: "HTTP 404", status: 404 }));
      await ask(page, "When are dogs allowed?");
      const shown = await page.evaluate(() => ({
        words: document.querySelector("#found").textContent,
        failed: !document.querySelector("#failure").hidden,
        used: globalThis.scripted.calls.find(({ call }) => call === "ask").embedder,
      }));
      assert.deepEqual([shown.failed, shown.used], [false, false]);
      assert.match(shown.words, /found by words of the question/);
      assert.match(shown.words, /could not be fetched/);
    },
  },
  {
    name: "asking: without a question, without a document",
    async run(context) {
      const page = await scriptedPage(context);
      await page.click("#ask-button");
      await expectFailure(page, "ERR_EMPTY_QUESTION", /There is no question yet/);
      await page.fill("#question", "When?");
      await page.click("#ask-button");
      await expectFailure(page, "ERR_NO_DOCUMENT", /no document to ask/);
    },
  },
  refused("a document over the context", { code: "ERR_CONTEXT", message: "5,120 tokens do not fit into a context of 4,096" }, /too long for the context/),
  refused("a model without the head that is needed", { code: "ERR_UNSUPPORTED_MODEL", message: "bert makes vectors" }, /cannot do that/),
  refused("an unsupported type", { code: "ERR_UNSUPPORTED", message: "blk.0.attn_q.weight: IQ2_XS" }, /not supported.*Q4_K_M/s, "load"),
  refused("storage that is refused", { code: "ERR_STORAGE", message: "the store cannot be opened" }, /refused to store/, "load"),
  refused("a full storage", { code: "ERR_QUOTA", message: "253 MB needed, 12 MB free" }, /no room to keep the model/, "load"),
  refused("a wrong checksum", { code: "ERR_HASH", message: "chunk 7" }, /not what it should be/, "load"),
  refused("a code that is new", { code: "ERR_NEW", message: "something else" }, /That did not work/),
  {
    name: "asking: a store that cannot be opened is a message, and models still load",
    async run(context) {
      const page = await scriptedPage(context);
      await page.evaluate(() => (globalThis.scripted.fail.cache = { code: "ERR_STORAGE", message: "site data is blocked" }));
      await open(page, "models");
      await page.waitFor("a message", failed);
      await expectFailure(page, "ERR_STORAGE", /refused to store/);
      await page.click("#load");
      await page.waitFor("the model", () => document.body.dataset.state === "ready");
    },
  },
];
