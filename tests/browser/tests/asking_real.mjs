// Asking in the page with the package itself, Gemma and MiniLM, as a visitor of the demo meets it: nothing is configured. What came of
// it goes into pictures beside those of screens.mjs.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";

import { violations } from "../lib/axe.mjs";
import { open, read } from "../lib/page.mjs";
import { inRepository, MODEL } from "../lib/paths.mjs";
import { printed } from "../lib/pdf.mjs";

const FOLDER = inRepository("target/screens");
/** A busy machine answers in this time. */
const PATIENCE_MS = 120_000;
/** From the click on Stop until the page is idle. */
const STOP_MS = 300;

const { items } = JSON.parse(readFileSync(inRepository("tests/fixtures/qa/questions.json"), "utf8"));
const item = (id) => items.find((each) => each.id === id);

/** Documents of five pages or so, and questions about each. The last one it does not answer. */
const DOCUMENTS = {
  "sqlite-project": ["sqlite-project-1", "sqlite-project-6", "sqlite-project-16"].map(item),
  "sqlite-limits": ["sqlite-limits-12", "sqlite-limits-13", "sqlite-limits-18"].map(item),
};

const busy = () => ["loading", "generating"].includes(document.body.dataset.state);
const idle = () => !["loading", "generating"].includes(document.body.dataset.state);
const textOf = (name) => readFileSync(inRepository("tests/fixtures/qa", `${name}.txt`), "utf8");
const words = (text) => text.replace(/\s+/g, " ").trim();

async function bring(page, name, mimeType, buffer) {
  await page.setFile("#document-file", { name, mimeType, buffer });
  await page.waitFor(name, (name) => document.querySelector("#reader-title")?.textContent === name, name);
}

/** Asks, and gives what the page then shows. */
async function ask(page, question) {
  await page.fill("#question", question);
  await page.click("#ask-button");
  await page.waitFor(`an answer to “${question}”`, idle, undefined, PATIENCE_MS);
  const { failure } = await read(page);
  assert.equal(failure, null, failure?.text);
  return await page.evaluate(() => {
    const found = document.querySelector("#found");
    const reader = document.querySelector("#reader");
    const mark = reader.querySelector("mark.source");
    const [box, around] = [mark?.getBoundingClientRect(), reader.getBoundingClientRect()];
    return {
      answer: document.querySelector("#found-text").textContent,
      confidence: Number(document.querySelector("#confidence").value),
      said: document.querySelector(".confidence").textContent,
      title: document.querySelector("#reader-title").textContent,
      text: reader.textContent,
      mark: mark && {
        text: mark.textContent,
        start: Number(mark.dataset.start),
        seen: box.top >= around.top && box.bottom <= around.bottom,
        stands: getComputedStyle(mark).backgroundColor !== getComputedStyle(reader.querySelector(".read:not(mark)")).backgroundColor,
      },
      place: found.querySelector(".sources button")?.textContent,
      summary: [...found.querySelectorAll("summary")].map((each) => each.textContent).join("; "),
    };
  });
}

/** A picture of the whole page as it stands, on a screen of its own. */
async function picture(page, name, { width = 1280, height = 900, colorScheme = "light" } = {}) {
  mkdirSync(FOLDER, { recursive: true });
  await page.playwright.setViewportSize({ width, height });
  // Text breaks otherwise on another screen: back to the place.
  await page.playwright.locator("#found .sources button").first().click({ timeout: 1000 }).catch(() => {});
  await page.playwright.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot(`${FOLDER}/real-${name}.png`, { fullPage: true });
  assert.deepEqual(await violations(page), [], name);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${name}: ${wide} pixels too wide`);
}

/** Clicks Stop while passages are read; milliseconds until the page has stopped. */
async function stopReading(page, question) {
  await page.fill("#question", question);
  await page.click("#ask-button");
  const reading = () => /[1-9]\d* of \d+ passages/.test(document.querySelector("#progress-text").textContent);
  await page.waitFor("some passages", reading, undefined, PATIENCE_MS);
  assert.ok(await page.evaluate(busy));
  return await page.evaluate(
    () =>
      new Promise((resolve) => {
        const began = performance.now();
        new MutationObserver(() => resolve(performance.now() - began)).observe(document.body, { attributeFilter: ["data-state"] });
        document.querySelector("#stop").click();
      }),
  );
}

export default [
  {
    name: "asking for real: two documents, what they answer and what not; Stop, and on",
    async run(context) {
      const page = await context.page("chromium");
      for (const name of Object.keys(DOCUMENTS)) await bring(page, `${name}.txt`, "text/plain", Buffer.from(textOf(name)));
      let late;
      for (const [name, questions] of Object.entries(DOCUMENTS)) {
        for (const { question, answers } of questions) {
          const { answer, confidence, said, title, text, mark, summary } = await ask(page, question);
          assert.match(summary, /found by meaning/);
          assert.ok(said.endsWith(confidence > 0.99 ? "over 99%" : `${Math.round(confidence * 100)}%`), said);
          if (answers.length === 0) {
            assert.match(answer, /don’t answer/, question);
            assert.equal(mark, null, "nothing is marked");
            assert.ok(confidence > 0.5, `${confidence}`);
            continue;
          }
          assert.ok(answers.includes(answer), `${question} ${answer}`);
          assert.equal(title, `${name}.txt`);
          assert.equal(mark.text, answer);
          assert.equal(text, textOf(name), "the document is shown as it is");
          assert.equal(text.slice(mark.start, mark.start + mark.text.length), answer, "offsets are those of the text");
          assert.ok(mark.seen, "the document is scrolled to it");
          assert.ok(mark.stands, "it stands out from what was read");
          assert.ok(confidence > 0.5, `${confidence}`);
        }
        if (late === undefined) {
          await picture(page, "unanswered-phone", { width: 360, height: 740 });
          await picture(page, "unanswered");
          late = await stopReading(page, questions[0].question);
          assert.equal((await read(page)).status, "Stopped.");
          assert.equal((await read(page)).failure, null);
          assert.ok(late < STOP_MS, `stopped after ${late} ms`);
        }
      }
      return `stopped after ${late.toFixed(0)} ms`;
    },
  },
  {
    name: "asking for real: a PDF, in its own words, by page",
    async run(context) {
      const paragraphs = textOf("sqlite-project").split(/\n\s*\n/).slice(0, 24);
      const html = `<!doctype html>${paragraphs.map((each) => `<p>${each.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</p>`).join("")}`;
      const pdf = await printed(context, html);
      const page = await context.page("chromium");
      await bring(page, "project.pdf", "application/pdf", pdf);
      const { question, answers } = item("sqlite-project-1");
      const { answer, mark, place } = await ask(page, question);
      assert.ok(answers.includes(answer), answer);
      assert.equal(words(mark.text), answer);
      assert.match(place, /^project\.pdf, page \d+$/);
      for (const colorScheme of ["light", "dark"]) {
        await picture(page, `answered-${colorScheme}`, { colorScheme });
        await picture(page, `answered-phone-${colorScheme}`, { width: 360, height: 740, colorScheme });
      }
      await page.select("#ask-mode", "free");
      const free = await ask(page, item("sqlite-project-2").question);
      assert.match(free.answer, /\w/);
      assert.match(free.said, /of it is in the source below/);
      assert.ok(free.mark.stands && free.mark.seen, "what supports it is marked");
      await picture(page, "free");
      await open(page, "models");
      const listed = (names) => [...document.querySelectorAll(".kept strong")].map((each) => each.textContent).toSorted().join() === names;
      await page.waitFor("a line a model", listed, `all-MiniLM-L6-v2,${MODEL}`);
      await picture(page, "models");
      await page.playwright.getByRole("button", { name: "Delete all-MiniLM-L6-v2" }).click();
      await page.playwright.getByRole("button", { name: "Delete it" }).click();
      await page.waitFor("the other alone", listed, MODEL);
      return `${place}; freely: “${free.answer}”`;
    },
  },
];
