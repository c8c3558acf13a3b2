// Every failure has its own message on the page, and the page works on after it.

import assert from "node:assert/strict";

import { failed, fillIn, load, open, read } from "../lib/page.mjs";
import { inRepository, MODEL } from "../lib/paths.mjs";
import { startServer } from "../lib/server.mjs";

/** What a load that cannot work shows. */
async function failedLoad(page, model, backend = "cpu") {
  await fillIn(page, { model, backend });
  await load(page);
  await page.waitFor("a message", failed);
  const { failure, state } = await read(page);
  assert.equal(state, "idle");
  return failure;
}

function failure(what, model, code, words, expected) {
  return {
    name: `failure: ${what}`,
    async run(context) {
      if (expected !== undefined) context.expectProblem(expected);
      const page = await context.page("chromium");
      const shown = await failedLoad(page, model);
      assert.equal(shown.code, code, shown.text);
      assert.match(shown.text, words);
      return shown.text.split("\n").at(-1);
    },
  };
}

/** A file on another origin: the message where its server keeps other pages out, and none where it lets them in. */
const otherOrigin = {
  name: "failure: a server that keeps other pages out; one that lets them in is loaded from",
  async run(context) {
    context.expectProblem(/CORS|Failed to load resource/);
    const other = await startServer();
    try {
      const page = await context.page("chromium");
      const shown = await failedLoad(page, `${other.url}/models/${MODEL}`);
      assert.equal(shown.code, "ERR_NETWORK", shown.text);
      assert.match(shown.text, /CORS.*Download the file and choose it/s);
      other.state.intercept = (_, answer) => {
        answer.setHeader("access-control-allow-origin", "*");
        return false;
      };
      await load(page);
      await page.waitFor("the model", () => document.body.dataset.state === "ready", undefined, 120_000);
      assert.equal((await read(page)).failure, null);
    } finally {
      other.close();
    }
  },
};

export default [
  otherOrigin,
  failure("a file cut in its weights", "/models/truncated.gguf", "ERR_BAD_FILE", /no model file that can be used/),
  failure("a file cut in its metadata", "/models/header-only.gguf", "ERR_BAD_FILE", /no model file that can be used/),
  failure("an empty file", "/models/empty.gguf", "ERR_BAD_FILE", /no model file that can be used/),
  failure("another magic number", "/models/bad-magic.gguf", "ERR_BAD_FILE", /expected GGUF/),
  failure("a header with an absurd count", "/models/bad-count.gguf", "ERR_BAD_FILE", /no model file that can be used/),
  failure("a page instead of a model", "/index.html", "ERR_BAD_FILE", /no model file that can be used/),
  failure("a missing file", "/models/none.gguf", "ERR_NETWORK", /no model file at this address/, /404/),
  failure("a connection that breaks", "/models/cut-connection.gguf", "ERR_NETWORK", /could not be fetched/, /ERR_CONTENT_LENGTH_MISMATCH|ERR_INCOMPLETE/),
  {
    name: "failure: a file of the visitor's that is no model",
    async run(context) {
      const page = await context.page("chromium");
      await open(page, "models");
      await page.setFile("#model-file", inRepository("Cargo.toml"));
      await page.waitFor("a message", failed);
      const { failure: shown } = await read(page);
      assert.equal(shown.code, "ERR_BAD_FILE", shown.text);
    },
  },
  {
    name: "failure: no WebGPU where it is asked for",
    async run(context) {
      const page = await context.page("chromium-without-gpu");
      const shown = await failedLoad(page, "/models/truncated.gguf", "gpu");
      assert.equal(shown.code, "ERR_NO_BACKEND", shown.text);
      assert.match(shown.text, /no usable GPU/);
      return shown.text.split("\n").at(-1);
    },
  },
  {
    name: "failure: settings out of range, and a prompt over the context",
    async run(context) {
      const page = await context.page("chromium");
      await fillIn(page, { backend: "cpu", prompt: "word ".repeat(60), context: 32 });
      await page.click("#generate");
      await page.waitFor("a message", failed);
      const { failure: shown, state } = await read(page);
      assert.equal(shown.code, "ERR_CONTEXT", shown.text);
      assert.equal(state, "ready", "the model stays loaded");
      const code = await page.evaluate(async () => {
        const { loadModel } = await import("/pkg/dist/index.js");
        return await loadModel("/x", { backend: "tpu" }).catch((error) => error.code);
      });
      assert.equal(code, "ERR_BAD_ARGUMENT");
    },
  },
];
