// Greedy answers of Gemma 3 270M through the built page, against llama.cpp's: tests/fixtures/gemma_ref_exact.json holds what
// it said with every tensor dequantised, F32 arithmetic and an F32 KV cache.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { fillIn, generate } from "../lib/page.mjs";
import { inRepository } from "../lib/paths.mjs";

const { items } = JSON.parse(readFileSync(inRepository("tests/fixtures/gemma_ref_exact.json"), "utf8"));

/** Where the reference's best two logits are nearer than this, another token may be chosen and the comparison ends. */
const DECISIVE_GAP = 0.05;

/** Compares ids with the reference's; gives how many were compared. */
export function compareGreedy(ids, item, wanted) {
  for (let at = 0; at < wanted; at++) {
    if (ids[at] === item.greedy_ids[at]) continue;
    if (item.greedy_gap[at] < DECISIVE_GAP) return at;
    assert.fail(
      `${item.name}: token ${at}: expected ${item.greedy_ids[at]}, got ${ids[at]}; the reference's margin is ${item.greedy_gap[at]}`,
    );
  }
  return wanted;
}

function greedy(browser, backend, build, threads, prompt, wanted, patience = 600_000) {
  const item = items.find(({ name }) => name === prompt);
  return {
    name: `reference: ${browser} ${backend}, ${build}, threads: ${threads}: ${wanted} tokens of ${prompt}`,
    async run(context) {
      const page = await context.page(browser, `/?build=${build}&threads=${threads}&precision=exact`);
      await fillIn(page, { backend, kv: "f32", prompt: item.prompt, maxTokens: wanted, temperature: 0 });
      const { failure, facts, tokens } = await generate(page, { patience });
      assert.equal(failure, null, failure?.text);
      const same = compareGreedy(tokens.map(({ id }) => id), item, wanted);
      if (same === item.greedy_ids.length) assert.equal(tokens.map(({ text }) => text).join(""), item.greedy_text);
      assert.equal(facts.backend.value, backend);
      assert.equal(facts.reason.value, "asked for");
      assert.equal(facts.build.value, build);
      if (backend === "cpu") assert.equal(facts.threads.value, threads);
      assert.equal(facts.tokens.value, wanted);
      assert.equal(facts["prompt-tokens"].value, item.ids.length);
      return `${same} equal, ${facts.backend.text}, first token ${facts["first-token-ms"].text}, decode ${facts.decode.text}`;
    },
  };
}

export default [
  greedy("chromium", "cpu", "compat", 1, "short_capital", 32),
  greedy("chromium", "cpu", "full", 2, "short_capital", 32),
  greedy("firefox", "cpu", "compat", 1, "short_capital", 32),
  greedy("firefox", "cpu", "full", 2, "short_capital", 32),
  greedy("chromium", "gpu", "full", 1, "short_capital", 2),
  greedy("firefox", "gpu", "full", 1, "short_capital", 4),
  greedy("firefox", "gpu", "compat", 1, "short_capital", 1),
  {
    name: "reference: auto takes the CPU where the GPU is software, and says so",
    async run(context) {
      const reasons = [];
      for (const browser of ["chromium", "firefox"]) {
        const page = await context.page(browser);
        await fillIn(page, { backend: "auto", prompt: "Hello", maxTokens: 1 });
        const { failure, facts } = await generate(page);
        assert.equal(failure, null, failure?.text);
        assert.equal(facts.backend.value, "cpu");
        assert.match(facts.reason.value, /software/);
        reasons.push(`${browser}: ${facts.reason.value}`);
      }
      return reasons.join("; ");
    },
  },
];
