// A document cut into sections of a screen or two, so that the browser lays out those that are seen, and only those.

import type { Doc } from "./documents";

/** A part of a document; each begins where a line does. */
export interface Section {
  readonly start: number;
  readonly end: number;
  /** The page that begins with it, from 1, where there are several. */
  readonly page: number | undefined;
}

/** Characters of a section. */
const LEAST = 3000;
/** A line that is longer than this is broken. */
const MOST = 12_000;

/** The sections of a document, in their order; its text from its beginning to its end. */
export function sectionsOf({ text, pages }: Pick<Doc, "text" | "pages">): Section[] {
  const sections: Section[] = [];
  for (const [at, from] of pages.entries()) {
    const to = pages[at + 1] ?? text.length;
    const page = pages.length > 1 ? at + 1 : undefined;
    let start = from;
    do {
      const end = to - start <= MOST ? to : cut(text, start);
      sections.push({ start, end, page: start === from ? page : undefined });
      start = end;
    } while (start < to);
  }
  return sections;
}

/** Where a section ends that is not the last: after an empty line, else a line, else a word, else whole characters. */
function cut(text: string, start: number): number {
  const least = start + LEAST;
  for (const [mark, longest] of [["\n\n", LEAST], ["\n", MOST], [" ", MOST]] as const) {
    const at = text.slice(least, start + longest + LEAST).indexOf(mark);
    if (at >= 0) return least + at + mark.length;
  }
  // Neither half a surrogate pair, nor a letter without its accents.
  let end = start + MOST;
  while (end > least && /^[\p{M}\p{Cf}\udc00-\udfff]/u.test(text.slice(end, end + 1))) end--;
  return end;
}

/** Lines that a section takes where so many characters fit into one. */
export function linesIn(text: string, { start, end }: Section, width: number): number {
  let lines = 0;
  for (let at = start; at < end; ) {
    const newline = text.indexOf("\n", at);
    const stop = newline < 0 || newline >= end ? end : newline;
    lines += Math.max(1, Math.ceil((stop - at) / width));
    at = stop + 1;
  }
  return Math.max(1, lines);
}

/** Index of the section that an offset lies in. */
export function sectionAt(sections: readonly Section[], offset: number): number {
  let [low, high] = [0, sections.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((sections[middle]?.start ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
