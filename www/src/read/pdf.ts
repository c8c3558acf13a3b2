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

/** Lines as they stand on the page; a line that ends in a hyphen goes on in the next one. */
function pageText(items: readonly TextItem[]): string {
  let text = "";
  let last: { readonly y: number; readonly height: number } | undefined;
  let ended = false;
  for (const { str, hasEOL, transform, height } of items) {
    const y = (transform as readonly number[])[5] ?? 0;
    if (str !== "" && ended) {
      const apart = last !== undefined && Math.abs(last.y - y) > PARAGRAPH_GAP * Math.max(last.height, height);
      if (!apart && /\p{Ll}-$/u.test(text) && /^\p{Ll}/u.test(str)) text = text.slice(0, -1);
      else text += apart ? "\n\n" : "\n";
    }
    if (str !== "") ended = false;
    text += str;
    if (str.trim() !== "") last = { y, height };
    ended ||= hasEOL;
  }
  return text.replace(/[ \t]+$/gm, "").trim();
}
