// The playground: why the model said that, against llama.cpp's probabilities; and that each control reaches the package.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { fillIn, generate, open, read } from "../lib/page.mjs";
import { inRepository } from "../lib/paths.mjs";
import { scriptedPage } from "../lib/scripted_page.mjs";

const { items } = JSON.parse(readFileSync(inRepository("tests/fixtures/gemma_ref_exact.json"), "utf8"));

/** Alternatives of the card: texts and shares. */
const card = (page) =>
  page.evaluate(() => {
    const why = document.querySelector("#why");
    return why && {
      token: why.querySelector("strong").textContent,
      others: [...why.querySelectorAll("li")].map((line) => ({
        text: line.querySelector(".why-text").textContent.replace("␣", " "),
        share: line.querySelector("meter").value,
        taken: line.className === "taken",
      })),
    };
  });

export default [
  {
    name: "playground: the alternatives of the first token are llama.cpp's, by mouse and by keyboard",
    async run(context) {
      const item = items.find(({ name }) => name === "short_capital");
      const page = await context.page("chromium", "/?precision=exact#playground");
      await fillIn(page, { backend: "cpu", kv: "f32", prompt: item.prompt, maxTokens: 4, temperature: 0 });
      const { failure, tokens } = await generate(page);
      assert.equal(failure, null, failure?.text);
      await page.playwright.locator("#answer .token").first().hover();
      await page.waitFor("the alternatives", () => document.querySelector("#why") !== null);
      const { others } = await card(page);
      assert.equal(others.length, 6);
      let furthest = 0;
      for (const [at, { text, share, taken }] of others.entries()) {
        const expected = item.top20[at];
        assert.equal(text, expected.piece.replaceAll("\u2581", " "), `number ${at + 1}`);
        furthest = Math.max(furthest, Math.abs(share - Math.exp(expected.logprob)));
        assert.equal(taken, expected.id === tokens[0].id);
      }
      assert.ok(furthest < 0.005, `a share is ${furthest} off`);

      // The same by keyboard: one stop for the tab key, arrows from token to token.
      await page.playwright.mouse.move(0, 0);
      await page.waitFor("no card", () => document.querySelector("#why") === null);
      await page.playwright.locator("#answer").focus();
      await page.playwright.keyboard.press("Tab");
      assert.deepEqual((await card(page)).others, others);
      await page.playwright.keyboard.press("ArrowRight");
      const second = await page.evaluate(() => ({
        at: document.activeElement.dataset.at,
        described: document.activeElement.getAttribute("aria-describedby"),
      }));
      assert.deepEqual(second, { at: "1", described: "why" });
      assert.notDeepEqual((await card(page)).others, others);
      await page.playwright.keyboard.press("Escape");
      assert.equal(await card(page), null);
      return `shares at most ${furthest.toExponential(1)} off`;
    },
  },
  {
    name: "playground: every control of the sampler reaches the package, and neutral ones are left out",
    async run(context) {
      const page = await scriptedPage(context, "#playground");
      await page.click("#generate");
      await page.waitFor("an answer", () => document.querySelector("#stats") !== null);
      await page.evaluate(() => (document.querySelector("#more-sampling").open = true));
      const controls = {
        "max-tokens": 12, temperature: 0.7, "top-k": 40, "top-p": 0.9, "min-p": 0.05, "repetition-penalty": 1.1, "frequency-penalty": 0.5,
        "presence-penalty": -0.25, seed: 11, "stop-texts": "END\n###", "logit-bias": "106: -inf\n5: 1.5",
      };
      for (const [id, value] of Object.entries(controls)) await page.fill(`#${id}`, String(value));
      await page.click("#shading");
      await page.click("#generate");
      await page.waitFor("the end", () => document.querySelectorAll("#answer .token").length === 12 && document.body.dataset.state === "ready");
      const [neutral, all] = await page.evaluate(() =>
        globalThis.scripted.calls
          .filter(({ call }) => call === "generate")
          .map(({ options }) => ({ ...options, logitBias: options.logitBias && Object.fromEntries(Object.entries(options.logitBias).map(([id, bias]) => [id, String(bias)])) })),
      );
      assert.deepEqual(neutral, { maxTokens: 64, logprobs: 6, logitBias: undefined });
      assert.deepEqual(all, {
        maxTokens: 12, temperature: 0.7, topK: 40, topP: 0.9, minP: 0.05, repetitionPenalty: 1.1, frequencyPenalty: 0.5, presencePenalty: -0.25,
        seed: 11, stop: ["END", "###"], logitBias: { 5: "1.5", 106: "-Infinity" },
      });
      assert.equal(await page.evaluate(() => document.querySelectorAll("#answer [tabindex]").length), 0, "nothing to explain, nothing to stop at");
      await page.fill("#logit-bias", "Paris: 3");
      await page.click("#generate");
      await page.waitFor("a message", () => !document.querySelector("#failure").hidden);
      assert.equal((await read(page)).failure.code, "ERR_BAD_SETTING");
    },
  },
  {
    name: "playground: a prompt goes out as a chat message where the model knows how",
    async run(context) {
      const page = await scriptedPage(context, "#models");
      await page.evaluate(() => (globalThis.scripted.has.chat = true));
      await page.click("#load");
      await page.waitFor("the model", () => document.body.dataset.state === "ready");
      await open(page, "playground");
      await page.click("#as-chat");
      await page.fill("#prompt", "Who are you?");
      await page.click("#generate");
      await page.waitFor("an answer", () => document.querySelector("#stats") !== null);
      const calls = await page.evaluate(() => globalThis.scripted.calls.filter(({ call }) => call === "generate"));
      assert.deepEqual(calls.map(({ input }) => input), [{ messages: [{ role: "user", content: "Who are you?" }] }]);
    },
  },
  {
    name: "playground: the benchmark's JSON says what it measured, and nothing that was typed",
    async run(context) {
      const page = await scriptedPage(context, "#playground");
      await page.fill("#prompt", "a secret of mine");
      await open(page, "device");
      await page.click("#benchmark");
      await page.waitFor("a result", () => document.querySelector("#benchmark-json") !== null);
      const text = await page.evaluate(() => document.querySelector("#benchmark-json").textContent);
      const result = JSON.parse(text);
      assert.equal(result.model.name, "Gemma 3 270M");
      assert.equal(result.backend.reason, "the browser offers no WebGPU adapter");
      assert.equal(result.rounds.length, 3);
      assert.deepEqual(result.median, { prefillTokensPerSecond: 214.2, decodeTokensPerSecond: 31.4, firstTokenMs: 84 });
      assert.ok(!text.includes("secret"));
      const [download] = await Promise.all([page.playwright.waitForEvent("download"), page.playwright.getByRole("button", { name: "Save JSON" }).click()]);
      assert.deepEqual(JSON.parse(readFileSync(await download.path(), "utf8")), result);
    },
  },
];
