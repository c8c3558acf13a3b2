// all-MiniLM-L6-v2 in the tab, against an independent forward pass in f64: tests/fixtures/minilm_ref.json.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { inRepository } from "../lib/paths.mjs";

const { items } = JSON.parse(readFileSync(inRepository("tests/fixtures/minilm_ref.json"), "utf8"));
const FOLDER = "/minilm/";

/** Loads the folder and embeds; `chosen` takes the files as a visitor would choose them. */
function embed(page, options, texts, chosen) {
  return page.evaluate(
    async ({ folder, options, texts, chosen }) => {
      const { loadModel } = globalThis.rushlight;
      const file = async (name) => (await fetch(folder + name)).blob();
      const from = chosen
        ? { model: await file("model.safetensors"), config: await file("config.json"), tokenizer: folder + "tokenizer.json" }
        : folder;
      const model = await loadModel(from, options);
      const vectors = await model.embed(texts);
      const ids = await model.tokenize(texts[0]);
      const began = performance.now();
      await model.embed(texts.slice(0, 1));
      const ms = performance.now() - began;
      const writes = await model.generate("a")[Symbol.asyncIterator]().next().catch((error) => error.code);
      const memory = await model.memory();
      model.dispose();
      return { info: model.info, vectors: vectors.map((vector) => Array.from(vector)), ids, ms, writes, memory };
    },
    { folder: FOLDER, options, texts, chosen },
  );
}

function reference(browser, options, count, chosen = false) {
  const { backend, build = "auto" } = options;
  return {
    name: `embed: ${browser} ${backend}, ${build}: ${count} sentences${chosen ? " from chosen files" : ""}`,
    async run(context) {
      const page = await context.page(browser, "/test/package.html");
      await page.waitFor("the package", () => globalThis.rushlight !== undefined);
      const wanted = items.slice(0, count);
      const { info, vectors, ids, ms, writes, memory } = await embed(page, options, wanted.map(({ text }) => text), chosen);
      assert.equal(info.backend.kind, backend);
      assert.equal(info.dimensions, 384);
      // Without sentence_bert_config.json it is what the positions reach.
      assert.equal(info.context, chosen ? 512 : 256);
      assert.deepEqual(ids, wanted[0].ids);
      assert.equal(writes, "ERR_UNSUPPORTED_MODEL");
      assert.ok(memory.weights > 80e6, `${memory.weights} bytes of weights`);
      let furthest = 0;
      for (const [index, { embedding, text }] of wanted.entries()) {
        const distance = Math.max(...embedding.map((expected, at) => Math.abs(expected - vectors[index][at])));
        assert.ok(distance < 1e-4, `${text}: ${distance}`);
        furthest = Math.max(furthest, distance);
      }
      return `at most ${furthest.toExponential(1)} off, ${info.backend.device}, one sentence in ${ms.toFixed(0)} ms`;
    },
  };
}

export default [
  reference("chromium", { backend: "cpu", build: "compat" }, 8),
  reference("chromium", { backend: "cpu", build: "full", threads: 2 }, 8),
  reference("firefox", { backend: "cpu" }, 8),
  reference("chromium", { backend: "cpu" }, 2, true),
  reference("firefox", { backend: "gpu" }, 1),
];
