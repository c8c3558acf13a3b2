// Small random models of every architecture and type, through the selftest build: the logits that llama.cpp gave for them
// (tests/fixtures/llamacpp), on both backends. 

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";

import { inRepository, requireBuilt } from "../lib/paths.mjs";
import { SMALL_MODELS, writeSmallModels } from "../lib/small_models.mjs";

const FIXTURES = inRepository("tests/fixtures/llamacpp");

/** Software GPUs are slow: there only this model is asked after its whole prompt, where a ring wraps; the rest until the middle. */
const WHOLE = "gemma3-f32-64";

/** What llama.cpp said of each model. */
function oracles() {
  const names = readdirSync(FIXTURES).filter((name) => name.endsWith(".json"));
  return names.map((file) => ({ name: file.slice(0, -5), ...JSON.parse(readFileSync(path.join(FIXTURES, file), "utf8")) }));
}

/** Largest difference in units of the spread (root mean square) of what is expected. */
function deviation(got, expected) {
  assert.equal(got.length, expected.length);
  const spread = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  const differences = expected.map((value, at) => Math.abs(got[at] - value));
  // NaN has to count as a difference, and `max` gives it back.
  const largest = Math.max(...differences);
  return Number.isNaN(largest) ? Infinity : largest / spread;
}

function logits(browser, backend, build, threads) {
  return {
    name: `small models: ${browser} ${backend}, ${build}, threads: ${threads}: llama.cpp's logits`,
    async run(context) {
      requireBuilt(`pkg/wasm-selftest/${build}/rushlight_bg.wasm`);
      const allowed = writeSmallModels();
      const page = await context.page(browser, `/test/selftest.html?build=${build}&threads=${threads}`);
      await page.waitFor("the selftest build", () => globalThis.selftest !== undefined);
      const models = oracles();
      assert.deepEqual(models.map(({ name }) => name).sort(), Object.keys(allowed).sort());
      const wrong = [];
      let compared = 0;
      let nearest = 0;
      for (const { name, sha256, ids, logits: expected } of models) {
        const file = readFileSync(path.join(SMALL_MODELS, `${name}.gguf`));
        assert.equal(createHash("sha256").update(file).digest("hex"), sha256, `${name}.gguf is not the file llama.cpp saw`);
        const positions = Object.keys(expected).map(Number).slice(0, backend === "cpu" || name === WHOLE ? undefined : 2);
        const got = await page.evaluate((job) => globalThis.selftest.logits(job), { name, backend, ids, positions });
        for (const position of positions) {
          const share = deviation(got[position], expected[position]) / allowed[name];
          if (!(share < 1)) wrong.push(`${name} at ${position}: ${share} of the error allowed`);
          nearest = Math.max(nearest, share);
          compared++;
        }
      }
      assert.ok(compared >= 2 * models.length);
      assert.deepEqual(wrong, []);
      return `${compared} positions of ${models.length} models, at most ${nearest.toFixed(3)} of the error allowed`;
    },
  };
}

export default [
  logits("chromium", "cpu", "compat", 1),
  logits("chromium", "cpu", "full", 2),
  logits("firefox", "cpu", "full", 2),
  logits("chromium", "gpu", "full", 1),
  logits("firefox", "gpu", "full", 1),
];
