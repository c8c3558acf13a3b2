// The text of a PDF, page by page, through pdf.js: fetched when the first PDF comes, run in a worker of its own.

import { getDocument, GlobalWorkerOptions, PasswordResponses, VerbosityLevel } from "pdfjs-dist";
import type { TextItem } from "pdfjs-dist/types/src/display/api";
import workerUrl from "pdfjs-dist/build/pdf.worker.min.mjs?url";

import { PageError } from "../words/failures";
import { aborted, type DocumentText, type ReadOptions } from "./index";

GlobalWorkerOptions.workerSrc = workerUrl;

/** What parts two pages in the text. */
const PAGE_BREAK = "\n\n";

/** A line that begins this many times its height below the last one begins a paragraph. */
const PARAGRAPH_GAP = 1.6;

/** Reads all pages. */
export async function readPdf(
  title: string,
  bytes: Uint8Array<ArrayBuffer>,
  { signal, onPage }: ReadOptions,
): Promise<Pick<DocumentText, "text" | "pages">> {
  const task = getDocument({
    data: bytes,
    // The policy allows no eval, and only texts are wanted: no fonts, no pictures.
    isEvalSupported: false,
    disableFontFace: true,
    useSystemFonts: false,
    cMapUrl: new URL("cmaps/", document.baseURI).href,
    cMapPacked: true,
    verbosity: VerbosityLevel.ERRORS,
  });
  const close = (): void => void task.destroy();
  signal.addEventListener("abort", close, { once: true });
  try {
    const pdf = await task.promise;
    const pages: number[] = [];
    let text = "";
    for (let number = 1; number <= pdf.numPages; number++) {
      onPage(number - 1, pdf.numPages);
      const page = await pdf.getPage(number);
      const { items } = await page.getTextContent();
      page.cleanup();
      if (text !== "") text += PAGE_BREAK;
      pages.push(text.length);
      text += pageText(items.filter((item): item is TextItem => "str" in item));
    }
    onPage(pdf.numPages, pdf.numPages);
    return { text, pages };
  } catch (error) {
    throw signal.aborted ? aborted() : inWords(title, error);
  } finally {
    signal.removeEventListener("abort", close);
    await task.destroy();
  }
}

function inWords(title: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message } = error;
  const code = "code" in error && typeof error.code === "number" ? error.code : undefined;
  if (name === "PasswordException" || code === PasswordResponses.NEED_PASSWORD) {
    return new PageError("ERR_PDF_PASSWORD", title, { cause: error });
  }
  return new PageError("ERR_PDF", `${title}: ${message}`, { cause: error });
}

/** A line of a page; places and sizes in the page's points. */
interface Line {
  text: string;
  readonly left: number;
  right: number;
  readonly y: number;
  readonly height: number;
}

/** The text with paragraphs put together again: a PDF only knows where each line stands. */
function pageText(items: readonly TextItem[]): string {
  const lines = linesOf(items);
  let text = "";
  for (const [at, line] of lines.entries()) {
    const last = lines[at - 1];
    if (last !== undefined) {
      const apart = Math.abs(last.y - line.y) > PARAGRAPH_GAP * Math.max(last.height, line.height);
      if (apart) text += "\n\n";
      else if (/\p{Ll}-$/u.test(text) && /^\p{Ll}/u.test(line.text)) text = text.slice(0, -1);
      else text += goesOn(last, line, lines) ? " " : "\n";
    }
    text += line.text;
  }
  return text.trim();
}

function linesOf(items: readonly TextItem[]): Line[] {
  const lines: Line[] = [];
  let ended = true;
  for (const { str, hasEOL, transform, width, height } of items) {
    const [, , , , left = 0, y = 0] = transform as readonly number[];
    const line = lines.at(-1);
    if (str.trim() !== "" && (ended || line === undefined)) {
      lines.push({ text: str, left, right: left + width, y, height });
      ended = false;
    } else if (line !== undefined && !ended) {
      line.text += str;
      if (str.trim() !== "") line.right = left + width;
    }
    ended ||= hasEOL;
  }
  return lines.map((line) => ({ ...line, text: line.text.trimEnd() }));
}

/**
 * Whether a line is full, so that the paragraph goes on: the next one's first word would have gone beyond the lines that begin where it
 * does. Its width is a share of its line's, and the space before it counts: a line's height is ample for both.
 */
function goesOn(last: Line, next: Line, lines: readonly Line[]): boolean {
  let edge = -Infinity;
  for (const { left, right } of lines) if (Math.abs(left - next.left) < 1 && right > edge) edge = right;
  const [word = ""] = next.text.trimStart().split(/\s/, 1);
  const width = ((next.right - next.left) * word.length) / next.text.length;
  return Math.abs(last.height - next.height) < 1 && last.right + width + last.height > edge;
}
