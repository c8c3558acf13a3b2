// What becomes of the documents that a visitor brings: PDFs that Chromium printed from a known text, HTML that must stay inert, the
// encodings of plain text, and what cannot be read.

import assert from "node:assert/strict";

import { failed, open, read } from "../lib/page.mjs";
import { printed } from "../lib/pdf.mjs";

/** Brings a file, as if chosen. */
const bring = (page, name, mimeType, content) =>
  page.setFile("#document-file", { name, mimeType, buffer: Buffer.isBuffer(content) ? content : Buffer.from(content) });

/** The text that the page shows of the document with a title. */
async function shownText(page, title) {
  await page.waitFor(title, (title) => document.querySelector("#reader-title")?.textContent === title, title);
  return await page.evaluate(() => document.querySelector("#reader").textContent);
}

/** Sentences of many lines, of which no two are alike. */
const sentences = (count, page) =>
  Array.from({ length: count }, (_, at) => `On page ${page} the sentence number ${at + 1} speaks of ${7919 * (at + 1) * page} herrings and a lighthouse.`);

function refused(what, name, content, code, words) {
  return {
    name: `documents: ${what} is refused in words`,
    async run(context) {
      const page = await context.page("chromium");
      await bring(page, name, "", content);
      await page.waitFor("a message", failed);
      const { failure } = await read(page);
      assert.equal(failure.code, code, failure.text);
      assert.match(failure.text, words);
      assert.equal(await page.evaluate(() => document.querySelectorAll(".document-list li").length), 0);
      return failure.text.split("\n").at(-1);
    },
  };
}

export default [
  {
    name: "documents: a PDF is read word for word, page by page, under the policy and without a network",
    async run(context) {
      const pages = [1, 2, 3].map((page) => sentences(9, page));
      const html = pages.map((list) => `<section>${list.map((each) => `<p>${each}</p>`).join("")}</section>`).join("");
      const style = "<style>section + section { break-before: page }</style>";
      const pdf = await printed(context, `<!doctype html><title>Herrings</title>${style}${html}`);
      const page = await context.page("chromium");
      const foreign = [];
      page.playwright.on("request", (request) => {
        if (!request.url().startsWith(context.url("/"))) foreign.push(request.url());
      });
      await bring(page, "herrings.pdf", "application/pdf", pdf);
      const text = await shownText(page, "herrings.pdf");
      const words = (value) => value.replace(/\s+/g, " ").trim();
      const expected = pages.map((list, at) => `Page ${at + 1} ${list.join(" ")}`).join(" ");
      // The numbers of pages are beside the text; page breaks come after the last word of a page.
      assert.equal(words(text.replace(/Page (\d)(?=\S)/g, "Page $1 ").replace(/\.(Page \d )/g, ". $1")), expected);
      // Nine paragraphs a page, each of two lines on paper, are nine lines here.
      const lines = await page.evaluate(() => [...document.querySelectorAll("#reader .page")].map(({ lastChild }) => lastChild.textContent.trim().split(/\n+/).length));
      assert.deepEqual(lines, [9, 9, 9], "lines are put together");
      assert.match(await page.evaluate(() => document.querySelector(".document-size").textContent), /PDF · 3 pages/);
      assert.deepEqual(foreign, []);
    },
  },
  {
    name: "documents: HTML is inert: its text is read, nothing of it runs or is fetched",
    async run(context) {
      // Chromium names what it would have refused in the document without a window.
      context.expectProblem(/Content Security Policy/);
      const page = await context.page("chromium");
      const requests = [];
      page.playwright.on("request", (request) => requests.push(request.url()));
      const html = `<!doctype html><html><head><title>Not this</title><style>p { color: red }</style><script>globalThis.ran = 1</script></head>
        <body onload="globalThis.ran = 2"><h1>Opening   hours</h1><p>We open at <b>nine</b> &amp; close at five.<br>Not on <i>Sundays</i>.</p>
        <img src="/stolen.png" onerror="globalThis.ran = 3"><iframe src="/index.html?framed"></iframe>
        <ul><li>Bread</li><li>Salt &lt;fine&gt;</li></ul><pre>  kept
    as it is</pre><p hidden>hidden</p><svg onload="globalThis.ran = 4"><text>drawn</text></svg>
        <script>globalThis.ran = 5</script><table><tr><td>a</td><td>b</td></tr></table></body></html>`;
      await bring(page, "hours.html", "text/html", html);
      const text = await shownText(page, "hours.html");
      const expected =
        "Opening hours\n\nWe open at nine & close at five.\nNot on Sundays.\n\n• Bread\n• Salt <fine>\n\n  kept\n    as it is\n\na  b";
      assert.equal(text, expected);
      assert.equal(await page.evaluate(() => globalThis.ran), undefined);
      assert.equal(await page.evaluate(() => document.querySelectorAll("#reader :is(img, script, iframe, b, svg)").length), 0);
      assert.deepEqual(requests.filter((url) => /stolen|framed/.test(url)), []);
    },
  },
  {
    name: "documents: text in UTF-8, UTF-16 and Windows' encoding; pasted text; each can be removed",
    async run(context) {
      const page = await context.page("chromium");
      const words = "Grüße – “καλημέρα”, 日本語";
      await bring(page, "a.txt", "text/plain", words);
      assert.equal(await shownText(page, "a.txt"), words);
      await bring(page, "b.md", "", Buffer.from(`\ufeff${words}`, "utf16le"));
      assert.equal(await shownText(page, "b.md"), words);
      await bring(page, "c.txt", "text/plain", Buffer.from([0x47, 0x72, 0xfc, 0xdf, 0x65, 0x20, 0x96, 0x0d, 0x0a, 0x6a, 0x61]));
      assert.equal(await shownText(page, "c.txt"), "Grüße –\nja");
      await page.playwright.getByRole("button", { name: "Paste text" }).click();
      await page.fill("#paste-text", "The ferry leaves at noon.\nIt is never late.");
      await page.playwright.getByRole("button", { name: "Add this text" }).click();
      assert.equal(await shownText(page, "The ferry leaves at noon."), "The ferry leaves at noon.\nIt is never late.");
      assert.equal(await page.evaluate(() => document.querySelectorAll(".document-list li").length), 4);
      await page.playwright.getByRole("button", { name: "Remove The ferry leaves at noon." }).click();
      assert.equal(await shownText(page, "c.txt"), "Grüße –\nja");
    },
  },
  {
    name: "documents: what is dropped or pasted anywhere becomes a document",
    async run(context) {
      const page = await context.page("chromium");
      await open(page, "device");
      await page.evaluate(() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["Dropped <b>words</b>."], "dropped.txt", { type: "text/plain" }));
        for (const type of ["dragover", "drop"]) {
          document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }
      });
      assert.equal(await shownText(page, "dropped.txt"), "Dropped <b>words</b>.");
      assert.equal(await page.evaluate(() => document.querySelector("#ask").hidden), false, "it goes where documents are");
      await page.evaluate(() => {
        const clipboardData = new DataTransfer();
        clipboardData.setData("text/plain", "Pasted words.");
        document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
      });
      assert.equal(await shownText(page, "Pasted words."), "Pasted words.");
    },
  },
  refused("a PDF that is none", "broken.pdf", "%PDF-1.7\nnothing of a PDF follows", "ERR_PDF", /This PDF cannot be read/),
  refused("a picture", "photo.txt", Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 13]), "ERR_DOCUMENT_TYPE", /Text, Markdown, HTML and PDF/),
  refused("a Word file", "letter.docx", "PK", "ERR_DOCUMENT_TYPE", /Save it as one of these/),
  refused("an empty file", "empty.txt", " \n ", "ERR_EMPTY_DOCUMENT", /no text in this document/),
  {
    name: "documents: a PDF without text, and one with a password, say so",
    async run(context) {
      const pdf = await printed(context, '<!doctype html><div style="width: 50px; height: 50px; background: red"></div>');
      const page = await context.page("chromium");
      await bring(page, "scan.pdf", "application/pdf", pdf);
      await page.waitFor("a message", failed);
      assert.equal((await read(page)).failure.code, "ERR_EMPTY_DOCUMENT");
      await bring(page, "locked.pdf", "application/pdf", lockedPdf());
      await page.waitFor("a message", () => document.querySelector("#failure").dataset.code !== "ERR_EMPTY_DOCUMENT" && !document.querySelector("#failure").hidden);
      const { failure } = await read(page);
      assert.equal(failure.code, "ERR_PDF_PASSWORD", failure.text);
    },
  },
];

/** A PDF of one empty page whose user password is not empty: PDF 1.7's standard handler, revision 3, with keys that fit no empty password. */
function lockedPdf() {
  const key = (byte) => `<${byte.repeat(32)}>`;
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
    `<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O ${key("41")} /U ${key("42")} >>`,
  ];
  let text = "%PDF-1.7\n";
  const offsets = objects.map((object, at) => {
    const offset = text.length;
    text += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const start = text.length;
  const rows = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const id = `<${"43".repeat(16)}>`;
  return `${text}xref\n0 5\n0000000000 65535 f \n${rows}trailer\n<< /Size 5 /Root 1 0 R /Encrypt 4 0 R /ID [${id} ${id}] >>\nstartxref\n${start}\n%%EOF\n`;
}
