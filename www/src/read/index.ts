// A file that the visitor brings, as plain text. Nothing of it is ever run, fetched or shown as markup.

import { RushlightError } from "../engine";
import { PageError } from "../words/failures";
import { decode } from "./decode";
import { htmlText } from "./html";

/** What a document was before it became text. */
export type DocumentKind = "text" | "markdown" | "html" | "pdf";

/** A document's text. */
export interface DocumentText {
  readonly title: string;
  readonly kind: DocumentKind;
  readonly text: string;
  /** Where each page begins in the text; one page where there are none. */
  readonly pages: readonly number[];
}

/** How to read. */
export interface ReadOptions {
  readonly signal: AbortSignal;
  readonly onPage: (done: number, total: number) => void;
}

const LARGEST = 50e6;

/** Kinds by the end of the name. Whatever else decodes as text is read as such. */
const KINDS: ReadonlyMap<string, DocumentKind> = new Map([
  ["md", "markdown"],
  ["markdown", "markdown"],
  ["html", "html"],
  ["htm", "html"],
  ["xhtml", "html"],
  ["pdf", "pdf"],
]);

/** Files that look like text to nobody. */
const OTHERS = /\.(docx?|odt|rtf|pages|epub|xlsx?|ods|pptx?|odp|zip|gz|png|jpe?g|gif|webp|heic|mp3|mp4|gguf|safetensors)$/i;

/** What the file picker offers. */
export const ACCEPTED = ".txt,.md,.markdown,.html,.htm,.xhtml,.pdf,.csv,.json,.log,text/*,application/pdf";

/** Reads a file. */
export async function readDocument(file: File, options: ReadOptions): Promise<DocumentText> {
  const { name: title } = file;
  if (file.size > LARGEST) throw new PageError("ERR_DOCUMENT_SIZE", `${title}: ${file.size} bytes`);
  if (OTHERS.test(title)) throw new PageError("ERR_DOCUMENT_TYPE", title);
  const bytes = await bytesOf(file);
  const kind = kindOf(title, file.type, bytes);
  if (kind === "pdf") {
    const { readPdf } = await import("./pdf");
    return nonEmpty({ title, kind, ...(await readPdf(title, bytes, options)) });
  }
  const source = decode(bytes);
  if (source === undefined) throw new PageError("ERR_DOCUMENT_TYPE", `${title}: it is not text`);
  const text = kind === "html" ? htmlText(source) : plain(source);
  return nonEmpty({ title, kind, text, pages: [0] });
}

/** Takes text that was pasted. */
export function pastedDocument(text: string): DocumentText {
  const first = text.trim().split("\n", 1)[0] ?? "";
  const title = first.length > 40 ? `${first.slice(0, 40).trimEnd()}…` : first || "Pasted text";
  return nonEmpty({ title, kind: "text", text: plain(text), pages: [0] });
}

async function bytesOf(file: File): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (cause) {
    throw new PageError("ERR_DOCUMENT_TYPE", `${file.name}: the browser could not read it (is it a folder?)`, { cause });
  }
}

function kindOf(title: string, type: string, bytes: Uint8Array): DocumentKind {
  const named = KINDS.get(title.split(".").at(-1)?.toLowerCase() ?? "");
  if (named !== undefined) return named;
  if (type === "application/pdf" || String.fromCharCode(...bytes.subarray(0, 5)) === "%PDF-") return "pdf";
  return type === "text/html" ? "html" : "text";
}

/** Line ends as the web has them. */
function plain(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}

function nonEmpty(document: DocumentText): DocumentText {
  // A byte order mark or a soft hyphen is not a text.
  if (!/[^\s\p{Default_Ignorable_Code_Point}]/u.test(document.text)) throw new PageError("ERR_EMPTY_DOCUMENT", document.title);
  return document;
}

/** The error of an aborted read, as the package throws it. */
export function aborted(): RushlightError {
  return new RushlightError("ERR_ABORTED", "the operation was aborted");
}
