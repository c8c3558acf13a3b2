// A third engine: WebKitGTK opens the page, loads Gemma on the CPU and says the reference's first tokens. A smoke test. WebKitGTK
// is for Linux: elsewhere it says so and passes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { fillIn, generate, read } from "../lib/page.mjs";
import { inRepository } from "../lib/paths.mjs";
import { openWebKit, webkitMissing } from "../lib/webkit.mjs";

const { items } = JSON.parse(readFileSync(inRepository("tests/fixtures/gemma_ref_exact.json"), "utf8"));

const TOKENS = 4;

export default [
  {
    name: "webkit: the page opens, loads Gemma on the CPU and says the reference's first tokens",
    async run(context) {
      const missing = webkitMissing();
      if (missing !== undefined && process.platform !== "linux") return `NOT RUN: ${missing}`;
      assert.equal(missing, undefined);
      const item = items.find(({ name }) => name === "short_capital");
      const page = await openWebKit();
      try {
        await page.goto(context.url("/?precision=exact"));
        await page.waitFor("the page", () => document.querySelector("#question") !== null);
        await fillIn(page, { backend: "cpu", kv: "f32", prompt: item.prompt, maxTokens: TOKENS });
        const { failure, tokens, facts } = await generate(page, { patience: 300_000 });
        assert.equal(failure, null, failure?.text);
        assert.deepEqual(tokens.map(({ id }) => id), item.greedy_ids.slice(0, TOKENS));
        assert.equal(facts.backend.value, "cpu");
        assert.equal((await read(page)).state, "ready");
        const agent = await page.evaluate(() => navigator.userAgent);
        return `${/Version\/\S+/.exec(agent)?.[0] ?? agent}, ${facts.build.value}, threads: ${facts.threads.value}, decode ${facts.decode.text}`;
      } finally {
        await page.close();
      }
    },
  },
];
