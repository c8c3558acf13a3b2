// Which model and how: forecasts are of what is chosen, models that are dropped while the page works are not forgotten, and what a
// question brings with it is said in bytes.

import assert from "node:assert/strict";

import { violations } from "../lib/axe.mjs";
import { open, read } from "../lib/page.mjs";
import { scriptedPage } from "../lib/scripted_page.mjs";

const GEMMA = "models/gemma-3-270m-q4_k_m.gguf";

const idle = () => !["loading", "generating"].includes(document.body.dataset.state);
const calls = (page, kind) => page.evaluate((kind) => globalThis.scripted.calls.filter(({ call }) => call === kind), kind);
const hold = (page, where) => page.evaluate((where) => (globalThis.scripted.hold = where), where);
const release = (page) => page.evaluate(() => {
  globalThis.scripted.hold = undefined;
  globalThis.scripted.release();
});

/** Drops files with these names anywhere. */
const drop = (page, ...names) => page.evaluate((names) => {
  const dataTransfer = new DataTransfer();
  for (const name of names) dataTransfer.items.add(new File([`${name} has words.`], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}, names);

/** Waits for a forecast with these values. */
const forecast = (page, values) => page.waitFor(`a forecast of ${JSON.stringify(values)}`, (values) => {
  const shown = (key) => document.querySelector(`#planned [data-fact="plan-${key}"]`)?.dataset.value;
  return Object.entries(values).every(([key, value]) => shown(key) === String(value));
}, values, 5000);

async function withSample(context) {
  const page = await scriptedPage(context);
  await page.playwright.getByRole("button", { name: "Try a sample" }).click();
  await page.waitFor("the sample", () => document.querySelector("#reader") !== null);
  return page;
}

export default [
  {
    name: "choosing: the forecast is for the settings beside it, and follows them",
    async run(context) {
      const page = await scriptedPage(context, "?threads=2&precision=exact#models");
      await page.select("#backend", "gpu");
      await page.select("#kv", "f32");
      await page.fill("#context", "512");
      await page.click("#plan");
      await forecast(page, { backend: "gpu", context: 512, memory: 314_000_000 });
      assert.deepEqual((await calls(page, "plan")).at(-1).options, { backend: "gpu", kv: "f32", context: 512, threads: 2, precision: "exact" });

      // While it is made again nothing is shown that is not so.
      await hold(page, "plan");
      await page.select("#backend", "cpu");
      await page.waitFor("no forecast", () => document.querySelector("#planned [data-fact]") === null, undefined, 2000);
      assert.match(await page.evaluate(() => document.querySelector("#planned").textContent), /again/);
      assert.deepEqual(await violations(page), []);
      await release(page);
      await forecast(page, { backend: "cpu", context: 512 });
      await page.select("#kv", "f16");
      await forecast(page, { memory: 296_000_000 });
      await page.fill("#context", "");
      await forecast(page, { context: 4096 });
      await page.fill("#context", "0");
      await page.waitFor("a refusal", () => /context: expected/.test(document.querySelector("#planned").textContent), undefined, 5000);
      await page.fill("#context", "128");
      await forecast(page, { context: 128 });
      await page.setFile("#model-file", { name: "mine.gguf", mimeType: "", buffer: Buffer.from("mine") });
      await forecast(page, { fetch: 0 });
      assert.equal((await calls(page, "plan")).at(-1).from, "mine.gguf");
      await page.click("#forget-file");
      await forecast(page, { fetch: 253_113_024 });
      assert.equal((await calls(page, "plan")).at(-1).from, GEMMA);
      await page.fill("#model-url", "https://example.org/other.gguf");
      await page.waitFor("the other address", () => globalThis.scripted.calls.findLast(({ call }) => call === "plan").from === "https://example.org/other.gguf");

      // A load stores the file: there is nothing left to download.
      await forecast(page, { fetch: 253_113_024 });
      await page.evaluate(() => globalThis.scripted.files.push({ url: "https://example.org/other.gguf", bytes: 253_113_024, complete: true, stored: 253_113_024, lastUsed: Date.now(), etag: null }));
      await page.click("#load");
      await page.waitFor("the model", () => document.body.dataset.state === "ready");
      await forecast(page, { fetch: 0 });
    },
  },
  {
    name: "choosing: without a forecast being asked for, none is made",
    async run(context) {
      const page = await scriptedPage(context, "#models");
      await page.select("#backend", "cpu");
      await page.fill("#context", "64");
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 900)));
      assert.deepEqual(await calls(page, "plan"), []);
    },
  },
  {
    name: "choosing: a model that is dropped while the page works is loaded next, and the page says so",
    async run(context) {
      const page = await withSample(context);
      await hold(page, "read");
      await page.fill("#question", "When are dogs allowed?");
      await page.click("#ask-button");
      await page.waitFor("passages", () => /3 of 6 passages/.test(document.querySelector("#progress-text").textContent));
      await drop(page, "first.gguf");
      await drop(page, "second.gguf", "notes.txt");
      await page.waitFor("the words", () => /second\.gguf/.test(document.querySelector("#waiting")?.textContent ?? ""));
      assert.deepEqual(await violations(page), []);
      assert.equal((await read(page)).state, "generating", "what was going on goes on");
      await release(page);
      await page.waitFor("the load", () => globalThis.scripted.calls.some(({ call, from }) => call === "loadModel" && from === "second.gguf"));
      await page.waitFor("the model", () => document.body.dataset.state === "ready");
      assert.equal(await page.evaluate(() => document.querySelector("#found-text").textContent), "from September to April");
      const loads = (await calls(page, "loadModel")).map(({ from }) => from);
      assert.ok(!loads.includes("first.gguf"), "of several the last one");
      assert.equal(await page.evaluate(() => document.querySelector("#waiting")), null);
      assert.equal((await read(page)).failure, null);
      await page.waitFor("the document", () => document.querySelectorAll(".document-list li").length === 2);
    },
  },
  {
    name: "choosing: a model that waits can be let go, and Stop goes on with it",
    async run(context) {
      const page = await scriptedPage(context, "#models");
      await hold(page, "load");
      await page.click("#load");
      await page.waitFor("some progress", () => /left|of/.test(document.querySelector("#progress-text").textContent));
      await drop(page, "mine.gguf");
      await page.waitFor("the words", () => document.querySelector("#waiting") !== null);
      await page.playwright.locator("#waiting").getByRole("button").click();
      await page.waitFor("no words", () => document.querySelector("#waiting") === null);
      await release(page);
      await page.waitFor("the model", () => document.body.dataset.state === "ready");
      assert.deepEqual((await calls(page, "loadModel")).map(({ from }) => from), [GEMMA]);
      await hold(page, "load");
      await page.select("#kv", "f32");
      await page.click("#load");
      await page.waitFor("a load", () => document.body.dataset.state === "loading");
      await drop(page, "mine.gguf");
      await hold(page, undefined);
      await page.click("#stop");
      await page.waitFor("the other model", () => document.body.dataset.state === "ready");
      assert.equal((await calls(page, "loadModel")).at(-1).from, "mine.gguf");
    },
  },
  {
    name: "choosing: of several models in one drop one is taken, and the others are named",
    async run(context) {
      const page = await scriptedPage(context);
      await drop(page, "a.gguf", "b.GGUF", "c.gguf");
      await page.waitFor("the model", () => document.body.dataset.state === "ready");
      const { failure } = await read(page);
      assert.match(failure.text, /b\.GGUF/);
      assert.match(failure.text, /c\.gguf/);
      assert.doesNotMatch(failure.text, /a\.gguf/);
    },
  },
  {
    name: "choosing: the question says how much it downloads, and what of it is kept",
    async run(context) {
      const page = await scriptedPage(context);
      const note = () => page.evaluate(() => document.querySelector("#first-load")?.textContent ?? null);
      assert.match(await note(), /gemma-3-270m-q4_k_m\.gguf \(253 MB to download\) and all-MiniLM-L6-v2 \(91\.\d MB to download\)/);
      assert.match(await note(), /kept/);
      // One of them was fetched before, of the other a part.
      await page.evaluate(() => {
        const [gemma] = globalThis.scripted.files;
        const at = (path) => new URL(path, document.baseURI).href;
        globalThis.scripted.files = [
          { ...gemma, url: at("models/gemma-3-270m-q4_k_m.gguf") },
          { ...gemma, url: at("models/all-MiniLM-L6-v2/model.safetensors"), bytes: 90_868_376, stored: 40_000_000, complete: false },
        ];
      });
      await open(page, "models");
      await open(page, "ask");
      await page.waitFor("what is kept", () => /253 MB, kept here/.test(document.querySelector("#first-load").textContent));
      assert.match(await note(), /all-MiniLM-L6-v2 \([\d.]+ MB, 40\.0 MB of it kept here\)/);
      await open(page, "models");
      await page.fill("#model-url", "https://example.org/unknown.gguf");
      await open(page, "ask");
      assert.match(await note(), /unknown\.gguf \(“Check first” under Models says how large it is\)/);
      await open(page, "models");
      await page.click("#plan");
      await page.waitFor("a plan", () => document.querySelector("#planned [data-fact]") !== null);
      await open(page, "ask");
      assert.match(await note(), /unknown\.gguf \(253 MB to download\)/);
      assert.deepEqual(await violations(page), []);
      await drop(page, "mine.gguf");
      await page.waitFor("the model", () => document.body.dataset.state === "ready");
      await page.waitFor("the end", idle);
      assert.doesNotMatch(await note(), /mine|unknown/);
      // The playground says it too.
      const other = await scriptedPage(context, "#playground");
      assert.match(await other.evaluate(() => document.querySelector("#prompt-hint").textContent), /253 MB to download/);
    },
  },
];
