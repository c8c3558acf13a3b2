// Lines of PDFs put together again: files of reportlab, read by pdf.js as the page does, and items made here.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { getDocument, VerbosityLevel } from "pdfjs-dist/legacy/build/pdf.mjs";
import ts from "typescript";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const source = await readFile(at("../src/read/lines.ts"), "utf8");
const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ESNext } });
const { pageText } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`);

async function textOf(name) {
  const data = new Uint8Array(await readFile(at(`../../tests/fixtures/pdf/${name}`)));
  const task = getDocument({ data, cMapUrl: at("../node_modules/pdfjs-dist/cmaps/"), cMapPacked: true, verbosity: VerbosityLevel.ERRORS, useSystemFonts: false });
  const pdf = await task.promise;
  const { items } = await (await pdf.getPage(1)).getTextContent();
  await task.destroy();
  return pageText(items.filter((item) => "str" in item));
}

/** Lines of one size, one below the other; `width` is that of a character. */
function lines(...texts) {
  return pageText(texts.map((str, at) => ({ str, hasEOL: true, transform: [1, 0, 0, 1, 60, 700 - 16 * at], width: 6 * str.length, height: 12 })));
}

test("Han characters across lines have no space between them", async () => {
  const expected =
    "灯塔由工程师沈若兰于1931年建成，高42米，从海上三十公里外就能看见灯光。守塔人每天傍晚点灯，清晨熄灯，并在日志里写下经过的船只的名字和时间。渡轮每天早上七点从四号码头出发，中午返回，遇到大风时由港务长欧阳明月决定是否停航。面包店在星期一休息，其他日子早上五点开门。";
  assert.equal(await textOf("zh.pdf"), expected);
  assert.equal(lines("灯台は技師の沢田", "美咲が建てました"), "灯台は技師の沢田美咲が建てました");
  assert.equal(lines("등대는 기술자가", "세운 것이다 모두"), "등대는 기술자가 세운 것이다 모두");
});

test("a hyphen at a line's end is kept where it is meant", async () => {
  assert.equal(await textOf("hyph.pdf"), "The North-Sea ferry sells information leaflets and the state-of-the-art radar costs 3-4 crowns.");
  for (const [parts, expected] of [
    [["sold by the inter-", "national board"], "sold by the international board"],
    [["both pre-", "and post-war crowns"], "both pre- and post-war crowns"],
    [["a self-", "regulating burner"], "a self-regulating burner"],
    [["an infor\u00ad", "mation leaflet"], "an information leaflet"],
    [["the long-term plan and the long-", "term cost"], "the long-term plan and the long-term cost"],
    [["die Groß-", "zügigkeit der Leute"], "die Großzügigkeit der Leute"],
  ]) {
    assert.equal(lines(...parts), expected);
  }
});

test("paragraphs, items and short lines stay apart", () => {
  assert.equal(lines("A line that is as long as its neighbours", "and goes on.", "A new one."), "A line that is as long as its neighbours and goes on.\nA new one.");
  assert.equal(lines("Title", "一个很长很长很长很长很长很长的句子。"), "Title\n一个很长很长很长很长很长很长的句子。");
});
