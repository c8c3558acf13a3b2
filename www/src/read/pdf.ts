// The text of a PDF, page by page, through pdf.js: fetched when the first PDF comes, run in a worker of its own.

import { getDocument, GlobalWorkerOptions, PasswordResponses, VerbosityLevel } from "pdfjs-dist";
import type { TextItem } from "pdfjs-dist/types/src/display/api";
import workerUrl from "pdfjs-dist/build/pdf.worker.min.mjs?url";

import { PageError } from "../words/failures";
import { pageText } from "./lines";
import { aborted, type DocumentText, type ReadOptions } from "./index";

GlobalWorkerOptions.workerSrc = workerUrl;

/** What parts two pages in the text. */
const PAGE_BREAK = "\n\n";

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
