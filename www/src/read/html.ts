// The text of an HTML file. `DOMParser` makes a document without a window: no script runs, no image is fetched.

/** What is no part of the text. */
const SKIPPED = new Set(["HEAD", "SCRIPT", "STYLE", "NOSCRIPT", "TEMPLATE", "IFRAME", "OBJECT", "SVG", "svg", "CANVAS", "SELECT", "BUTTON"]);

/** Elements that stand on lines of their own; a blank line parts those in the second set. */
const BLOCKS = new Set([
  "ADDRESS", "ARTICLE", "ASIDE", "BLOCKQUOTE", "DD", "DETAILS", "DIV", "DL", "DT", "FIGCAPTION", "FIGURE", "FOOTER", "FORM", "H1", "H2", "H3",
  "H4", "H5", "H6", "HEADER", "HR", "LI", "MAIN", "NAV", "OL", "P", "PRE", "SECTION", "TABLE", "TBODY", "THEAD", "TR", "UL",
]);
const APART = new Set(["BLOCKQUOTE", "DL", "FIGURE", "H1", "H2", "H3", "H4", "H5", "H6", "OL", "P", "PRE", "TABLE", "UL"]);

/** What a reader of the page would read, paragraphs parted by blank lines. */
export function htmlText(source: string): string {
  const { body } = new DOMParser().parseFromString(source, "text/html");
  const out: string[] = [];
  walk(body, false, out);
  return out
    .join("")
    .replace(/[ \t]+\n/g, "\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

function walk(parent: Node, verbatim: boolean, out: string[]): void {
  for (const node of parent.childNodes) {
    if (node.nodeType === Node.TEXT_NODE) text(node.nodeValue ?? "", verbatim, out);
    else if (node.nodeType === Node.ELEMENT_NODE) element(node as Element, verbatim, out);
  }
}

function element(node: Element, verbatim: boolean, out: string[]): void {
  const name = node.tagName;
  if (SKIPPED.has(name) || node.hasAttribute("hidden")) return;
  if (name === "BR") {
    out.push("\n");
    return;
  }
  const block = BLOCKS.has(name);
  if (block) line(APART.has(name), out);
  if (name === "LI") out.push("• ");
  walk(node, verbatim || name === "PRE" || name === "TEXTAREA", out);
  if (name === "TD" || name === "TH") out.push("  ");
  if (block) line(APART.has(name), out);
}

/** Ends the line that has begun; leaves a blank one where asked for. */
function line(apart: boolean, out: string[]): void {
  const last = out.at(-1);
  if (last === undefined) return;
  if (!last.endsWith("\n")) out.push("\n");
  if (apart && last !== "\n\n") out.push("\n\n");
}

/** Runs of white space are one space, none where a line begins. */
function text(value: string, verbatim: boolean, out: string[]): void {
  if (verbatim) {
    if (value !== "") out.push(value);
    return;
  }
  const collapsed = value.replace(/[ \t\r\n\f]+/g, " ");
  const last = out.at(-1) ?? "\n";
  const shown = /[\s]$/.test(last) || last === "• " ? collapsed.trimStart() : collapsed;
  if (shown !== "") out.push(shown);
}
