// The model that finds passages, from files of this machine: which file is which, what is missing, and that nothing of it is fetched.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { violations } from "../lib/axe.mjs";
import { failed, open, read } from "../lib/page.mjs";
import { inRepository, minilmFolder } from "../lib/paths.mjs";
import { scriptedPage } from "../lib/scripted_page.mjs";

const NEEDED = ["model.safetensors", "config.json", "tokenizer.json"];
const ALL = [...NEEDED, "sentence_bert_config.json", "1_Pooling/config.json"];

/** A folder with files of these names, and one for another program. */
function folderWith(names) {
  const root = mkdtempSync(path.join(tmpdir(), "rushlight-"));
  const folder = path.join(root, "my-minilm");
  for (const name of [...names, "onnx/config.json"]) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), name);
  }
  return { folder, remove: () => rmSync(root, { recursive: true }) };
}

const asFiles = (names) => names.map((name) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.from(name) }));
const chosenName = (page) => page.evaluate(() => document.querySelector("#embedder-name")?.textContent ?? null);
const sources = (page) => page.evaluate(() => globalThis.scripted.calls.filter(({ call }) => call === "loadModel").map(({ from }) => from));

async function ask(page, question) {
  await open(page, "ask");
  await page.fill("#question", question);
  await page.click("#ask-button");
  await page.waitFor("an answer", () => document.querySelector("#found-text") !== null, undefined, 300_000);
  await page.waitFor("the end", () => !["loading", "generating"].includes(document.body.dataset.state), undefined, 300_000);
}

export default [
  {
    name: "embedder files: a folder, single files and a drop are taken; what is missing is named",
    async run(context) {
      const page = await scriptedPage(context);
      const [whole, part] = [folderWith(ALL), folderWith(NEEDED.slice(0, 2))];
      try {
        await open(page, "ask");
        await page.playwright.getByRole("button", { name: "Try a sample" }).click();
        await open(page, "models");
        await page.setFile("#embedder-folder", whole.folder);
        assert.equal(await chosenName(page), "my-minilm");
        assert.ok(await page.evaluate(() => document.querySelector("#embedder-url").disabled));
        assert.deepEqual(await violations(page), []);
        await ask(page, "When are dogs allowed?");
        const beside = Object.fromEntries(["model", "config", "tokenizer", "sentence", "pooling"].map((key, at) => [key, `my-minilm/${ALL[at]}`]));
        assert.deepEqual((await sources(page)).at(-1), beside);

        // It stays what was chosen where something else does not do.
        await open(page, "models");
        await page.setFile("#embedder-folder", part.folder);
        await page.waitFor("a message", failed);
        const { failure } = await read(page);
        assert.equal(failure.code, "ERR_EMBEDDER_FILES");
        assert.match(failure.text, /missing: tokenizer\.json$/m);
        assert.equal(await chosenName(page), "my-minilm");
        assert.deepEqual(await violations(page), []);

        await page.setFile("#embedder-files", asFiles(NEEDED));
        assert.equal(await chosenName(page), "model.safetensors");
        assert.equal((await read(page)).failure, null, "the message is gone");
        await ask(page, "When are dogs allowed?");
        assert.deepEqual((await sources(page)).at(-1), { model: NEEDED[0], config: NEEDED[1], tokenizer: NEEDED[2] });

        await open(page, "models");
        await page.click("#forget-embedder");
        await page.setFile("#embedder-files", asFiles(["small-Q8_0.gguf"]));
        assert.equal(await chosenName(page), "small-Q8_0.gguf");
        await page.click("#forget-embedder");
        assert.equal(await chosenName(page), null);

        await page.select("#search", "words");
        await page.evaluate((names) => {
          const dataTransfer = new DataTransfer();
          for (const name of names) dataTransfer.items.add(new File([name], name));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }, [...NEEDED, "notes.txt"]);
        await page.waitFor("the document", () => document.querySelector("#reader-title")?.textContent === "notes.txt");
        await ask(page, "What is in the notes?");
        assert.equal((await sources(page)).at(-1).tokenizer, "tokenizer.json", "by meaning again, with what was dropped");
      } finally {
        whole.remove();
        part.remove();
      }
    },
  },
  {
    name: "embedder files: MiniLM's folder finds passages, and nothing of it is fetched",
    async run(context) {
      const page = await context.page("chromium");
      const asked = [];
      page.playwright.on("request", (request) => asked.push(new URL(request.url()).pathname));
      await open(page, "models");
      await page.setFile("#embedder-folder", minilmFolder());
      assert.equal(await chosenName(page), "all-MiniLM-L6-v2");
      await open(page, "ask");
      const { items } = JSON.parse(readFileSync(inRepository("tests/fixtures/qa/questions.json"), "utf8"));
      const { question, answers } = items.find(({ id }) => id === "sqlite-project-1");
      await page.setFile("#document-file", inRepository("tests/fixtures/qa/sqlite-project.txt"));
      await page.waitFor("the document", () => document.querySelector("#reader-title")?.textContent === "sqlite-project.txt");
      await ask(page, question);
      const { failure } = await read(page);
      assert.equal(failure, null, failure?.text);
      const { answer, how } = await page.evaluate(() => ({
        answer: document.querySelector("#found-text").textContent,
        how: [...document.querySelectorAll("#found summary")].map((each) => each.textContent).join(),
      }));
      assert.ok(answers.includes(answer), answer);
      assert.match(how, /found by meaning/);
      assert.deepEqual(asked.filter((path) => /minilm/i.test(path)), []);
      return answer;
    },
  },
];
