// Many files at once, of which some cannot be read, or not all of them: nothing of that goes unsaid.

import assert from "node:assert/strict";

import { violations } from "../lib/axe.mjs";
import { failed, read } from "../lib/page.mjs";
import { printed } from "../lib/pdf.mjs";
import { scriptedPage } from "../lib/scripted_page.mjs";

const file = (name, content, mimeType = "") => ({ name, mimeType, buffer: Buffer.isBuffer(content) ? content : Buffer.from(content) });

/** Drops files with these names and texts anywhere. */
const drop = (page, files) => page.evaluate((files) => {
  const dataTransfer = new DataTransfer();
  for (const [name, text] of files) dataTransfer.items.add(new File([text], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}, files);

const BAD = [file("letter.docx", "PK"), file("empty.txt", "  \n"), file("broken.pdf", "%PDF-1.7 no"), file("photo.txt", Buffer.from([0x89, 0x50, 0, 0])), file("table.xlsx", "PK")];

export default [
  {
    name: "many files: each that cannot be read is named, whatever comes after it",
    async run(context) {
      const page = await scriptedPage(context);
      await page.setFile("#document-file", [...BAD, file("good.txt", "Good words.")]);
      await page.waitFor("the good one", () => document.querySelector("#reader-title")?.textContent === "good.txt");
      const { failure } = await read(page);
      for (const { name } of BAD) assert.ok(failure.text.includes(name), `${name} in ${failure.text}`);
      assert.doesNotMatch(failure.text, /good\.txt/);
      assert.deepEqual(await violations(page), []);
      // They stay until they are closed, or until other files come.
      await page.playwright.getByRole("button", { name: "Close these messages" }).click();
      assert.equal((await read(page)).failure, null);
      await page.setFile("#document-file", [BAD[0]]);
      await page.waitFor("a message", failed);
      await page.setFile("#document-file", [file("fine.txt", "Fine words.")]);
      await page.waitFor("the other", () => document.querySelector("#reader-title")?.textContent === "fine.txt");
      assert.equal((await read(page)).failure, null);
    },
  },
  {
    name: "many files: what a drop says of one kind of file is not wiped away by another kind",
    async run(context) {
      const page = await scriptedPage(context);
      await drop(page, [["mine.gguf", "m"], ["model.safetensors", "w"], ["letter.docx", "PK"], ["void.txt", " "], ["good.txt", "Good words."]]);
      await page.waitFor("the model", () => document.body.dataset.state === "ready");
      await page.waitFor("the good one", () => document.querySelector("#reader-title")?.textContent === "good.txt");
      const { failure } = await read(page);
      for (const words of ["tokenizer.json", "letter.docx", "void.txt"]) assert.ok(failure.text.includes(words), `${words} in ${failure.text}`);
      // Nor by files that come while the first are read.
      await page.playwright.getByRole("button", { name: "Close these messages" }).click();
      const pages = Array.from({ length: 40 }, (_, at) => `<p style="break-before: page">Page ${at}.`).join("");
      const long = await printed(context, `<!doctype html>${pages}`);
      await page.setFile("#document-file", [BAD[0], file("long.pdf", long, "application/pdf")]);
      await page.setFile("#document-file", [BAD[4]]);
      await page.waitFor("both", () => /letter\.docx[^]*table\.xlsx/.test(document.querySelector("#failure").innerText));
    },
  },
  {
    name: "many files: pages of a PDF that have no text are named where it is listed, where it is read, and where nothing is found",
    async run(context) {
      const picture = '<div style="width: 50px; height: 50px; background: red"></div>';
      const contents = [picture, "<p>Dogs are welcome.", picture, picture, picture, "<p>The ferry leaves at noon.", `${picture}<p>- 7 -`];
      const html = contents.map((content, at) => `<section style="${at > 0 ? "break-before: page" : ""}">${content}</section>`).join("");
      const pdf = await printed(context, `<!doctype html>${html}`);
      const page = await scriptedPage(context);
      await page.setFile("#document-file", file("mixed.pdf", pdf, "application/pdf"));
      await page.waitFor("the document", () => document.querySelector("#reader-title")?.textContent === "mixed.pdf");
      const shown = await page.evaluate(() => ({
        listed: document.querySelector(".document-list li").innerText,
        without: [...document.querySelectorAll("#reader .page")].flatMap((each, at) => (/no text/.test(each.textContent) ? [at + 1] : [])),
        heard: document.querySelector("#document-note")?.textContent,
      }));
      assert.match(shown.listed, /7 pages/);
      assert.match(shown.listed, /Pages 1, 3–5 and 7 have no text/);
      assert.deepEqual(shown.without, [1, 3, 4, 5, 7]);
      assert.match(shown.heard, /mixed\.pdf: pages 1, 3–5 and 7 have no text/);
      assert.deepEqual(await violations(page), []);
      await page.fill("#question", "Who built the tower?");
      await page.click("#ask-button");
      await page.waitFor("an answer", () => document.querySelector("#found-text") !== null);
      assert.match(await page.evaluate(() => document.querySelector("#found").innerText), /5 pages without text/);

      // A document whose pages all have text says nothing.
      const whole = await printed(context, "<!doctype html><p>One.<p style='break-before: page'>Two.");
      await page.setFile("#document-file", file("whole.pdf", whole, "application/pdf"));
      await page.waitFor("the document", () => document.querySelector("#reader-title")?.textContent === "whole.pdf");
      assert.doesNotMatch(await page.evaluate(() => document.querySelector(".document-list li:last-child").innerText), /no text/);
    },
  },
];
