// Every state of the page, in light and dark, on a desk and on a phone: axe finds nothing, nothing is wider than the screen, and a
// picture goes to target/screens/ to be looked at. The package is a stand-in, so that states hold still.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";

import { violations } from "../lib/axe.mjs";
import { failed, open } from "../lib/page.mjs";
import { inRepository } from "../lib/paths.mjs";
import { scriptedPage } from "../lib/scripted_page.mjs";

const FOLDER = inRepository("target/screens");

const SCREENS = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: "light", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true },
  forced: { colorScheme: "light", forcedColors: "active", viewport: { width: 1280, height: 900 } },
  "phone-dark": { colorScheme: "dark", viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true },
};

const idle = () => !["loading", "generating"].includes(document.body.dataset.state);
const script = (page, changes) => page.evaluate((changes) => Object.assign(globalThis.scripted, changes), changes);
const release = (page) => page.evaluate(() => {
  globalThis.scripted.hold = undefined;
  globalThis.scripted.release();
});

const filesCalled = (...names) => names.map((name) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.from(name) }));

async function sample(page) {
  await open(page, "ask");
  await page.playwright.getByRole("button", { name: "Try a sample" }).click();
  await page.waitFor("the sample", () => document.querySelector("#reader") !== null);
}

async function ask(page, question) {
  await page.fill("#question", question);
  await page.click("#ask-button");
}

/** A PDF of three pages, the second without text. */
async function mixedPdf(page) {
  const other = await page.playwright.context().newPage();
  const section = (content) => `<section style="break-after: page">${content}</section>`;
  await other.setContent(`<!doctype html>${section("<p>The harbour office opens at nine.</p>")}${section('<div style="width: 9px; height: 9px; background: red"></div>')}<p>Its number is 4471.</p>`);
  const pdf = await other.pdf({ format: "A5" });
  await other.close();
  return pdf;
}

/** The states in an order in which each follows from the last, and what brings them about. */
const STATES = [
  ["ask-empty", async () => {}],
  ["ask-documents", sample],
  [
    "ask-loading",
    async (page) => {
      await script(page, { hold: "load" });
      await ask(page, "When are dogs allowed?");
      await page.waitFor("some progress", () => /left/.test(document.querySelector("#progress-text").textContent));
    },
  ],
  [
    "ask-answering",
    async (page) => {
      await page.evaluate(() => {
        globalThis.scripted.hold = "read";
        globalThis.scripted.release();
      });
      await page.waitFor("the passages", () => /3 of 6 passages/.test(document.querySelector("#progress-text").textContent));
    },
  ],
  [
    "ask-answered",
    async (page) => {
      await release(page);
      await page.waitFor("an answer", () => document.querySelector("#found-text")?.textContent === "from September to April");
      await page.waitFor("the end", idle);
    },
  ],
  [
    "ask-unanswered",
    async (page) => {
      await ask(page, "Who built the tower?");
      await page.waitFor("an answer", () => /answer that/.test(document.querySelector("#found-text")?.textContent));
      await page.waitFor("the end", idle);
    },
  ],
  [
    "ask-error",
    async (page) => {
      await script(page, { fail: { ask: { code: "ERR_DEVICE_LOST", message: "the GPU device was lost: unknown" } } });
      await ask(page, "When are dogs allowed?");
      await page.waitFor("a message", failed);
    },
  ],
  [
    "ask-files-failed",
    async (page) => {
      const files = ["letter.docx", "table.xlsx", "a-rather-long-name-of-a-presentation-from-last-year.pptx"].map((name) => ({ name, mimeType: "", buffer: Buffer.from("PK") }));
      await page.setFile("#document-file", [...files, { name: "empty.txt", mimeType: "", buffer: Buffer.from(" ") }]);
      await page.waitFor("the messages", () => /empty\.txt/.test(document.querySelector("#failure").innerText));
    },
  ],
  [
    "ask-mixed-pdf",
    async (page) => {
      await page.playwright.getByRole("button", { name: "Close these messages" }).click();
      await page.setFile("#document-file", { name: "Annual report.pdf", mimeType: "application/pdf", buffer: await mixedPdf(page) });
      await page.waitFor("the document", () => document.querySelector("#reader-title")?.textContent === "Annual report.pdf");
    },
  ],
  ["chat-empty", (page) => open(page, "chat")],
  [
    "chat-answering",
    async (page) => {
      await script(page, { hold: "answer" });
      await page.fill("#message", "Tell me of a city that was lit by lanterns, please, and of the people who carried them from house to house.");
      await page.click("#send");
      await page.waitFor("some words", () => / Its/.test(document.querySelector("#turns .turn.assistant .turn-text")?.textContent ?? ""));
      // A model that waits is said in the bar.
      await page.evaluate(() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["m"], "another-model-of-mine-q4_k_m.gguf"));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      });
      await page.waitFor("the words", () => document.querySelector("#waiting") !== null);
    },
  ],
  [
    "chat-answered",
    async (page) => {
      await page.playwright.getByRole("button", { name: "Don’t load it" }).click();
      await release(page);
      await page.waitFor("the end", idle);
      await script(page, { dropped: 2 });
      await page.fill("#message", "And then?");
      await page.click("#send");
      await page.waitFor("the answer", () => document.querySelector(".turn-dropped") !== null);
      await page.waitFor("the end", idle);
      await page.evaluate(() => (document.querySelector("#chat-form details").open = true));
    },
  ],
  ["playground-empty", (page) => open(page, "playground")],
  [
    "playground-answering",
    async (page) => {
      await script(page, { hold: "answer" });
      await page.click("#generate");
      await page.waitFor("nine tokens", () => document.querySelectorAll("#answer .token").length >= 8);
    },
  ],
  [
    "playground-answered",
    async (page) => {
      await release(page);
      await page.waitFor("the end", idle);
      await page.playwright.locator("#answer .token").nth(5).hover();
      await page.waitFor("the alternatives", () => document.querySelector("#why") !== null);
    },
  ],
  ["playground-controls", (page) => page.evaluate(() => (document.querySelector("#more-sampling").open = true))],
  [
    "models",
    async (page) => {
      await open(page, "models");
      await page.click("#plan");
      await page.waitFor("a plan", () => document.querySelector("#planned") !== null);
      await page.waitFor("the end", idle);
    },
  ],
  [
    "models-embedder-missing",
    async (page) => {
      await page.setFile("#embedder-files", filesCalled("model.safetensors", "config.json"));
      await page.waitFor("a message", failed);
    },
  ],
  [
    "models-embedder",
    async (page) => {
      await page.setFile("#embedder-files", filesCalled("model.safetensors", "config.json", "tokenizer.json"));
      await page.waitFor("its name", () => document.querySelector("#embedder-name") !== null);
    },
  ],
  [
    "models-delete",
    async (page) => {
      await page.playwright.getByRole("button", { name: /^Delete qwen/ }).click();
      await page.waitFor("the question", () => document.querySelector("dialog").open);
    },
  ],
  [
    "device",
    async (page) => {
      await page.playwright.getByRole("button", { name: "Delete it" }).click();
      await open(page, "device");
      await page.click("#benchmark");
      await page.waitFor("a result", () => document.querySelector("#benchmark-json") !== null, undefined, 30_000);
      await page.waitFor("the end", idle);
    },
  ],
];

export default Object.entries(SCREENS).map(([name, options]) => ({
  name: `screens: ${name}: every state is accessible and fits`,
  async run(context) {
    mkdirSync(FOLDER, { recursive: true });
    const page = await scriptedPage(context, "", { reducedMotion: "reduce", ...options });
    const wrong = [];
    for (const [state, reach] of STATES) {
      await reach(page);
      if (state !== "models-delete") await page.evaluate(() => scrollTo(0, 0));
      // The dialog is above the page: there is nothing to see below the fold.
      await page.screenshot(`${FOLDER}/${state}-${name}.png`, { fullPage: state !== "models-delete" });
      wrong.push(...(await violations(page)).map((line) => `${state}: ${line}`));
      const { wide, width } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, width: innerWidth }));
      if (wide > width) wrong.push(`${state}: ${wide} pixels wide on a screen of ${width}`);
    }
    assert.deepEqual(wrong, []);
    return `${STATES.length} pictures in target/screens`;
  },
}));
