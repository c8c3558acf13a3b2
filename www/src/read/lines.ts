// Lines of a PDF's page as a text. A PDF only knows where each line stands: paragraphs are put together again here. What stands between
// two lines of one is decided as the core does for plain texts (`src/tasks/ask/lines.rs`).

/** A stretch of text as pdf.js gives it. */
export interface Item {
  readonly str: string;
  readonly hasEOL: boolean;
  /** The last two are its place, in the page's points. */
  readonly transform: readonly unknown[];
  readonly width: number;
  readonly height: number;
}

/** A line of a page; places and sizes in the page's points. */
interface Line {
  text: string;
  readonly left: number;
  right: number;
  readonly y: number;
  readonly height: number;
}

/** A line that begins this many times its height below the last one begins a paragraph. */
const PARAGRAPH_GAP = 1.6;

/** A word that a line's end parts, with the hyphen; a soft one only shows there. */
const PARTED = /(?<begun>[\p{L}\p{M}\p{N}][\p{L}\p{M}\p{N}‐-]*)(?<hyphen>[-‐\u00ad])$/u;
const REST = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}‐-]*/u;
/** Beginnings of words that mostly keep their hyphen. */
const KEEPING = new Set(["all", "cross", "ex", "half", "non", "quasi", "self", "well"]);
/** Words behind a hyphen that stands for something to come: `pre- and post-war`. */
const LINKS = new Set(["and", "or", "to", "und", "oder", "et", "ou", "y", "o"]);
/** Letters of two words that stand by themselves elsewhere, so that a hyphen between them is likely to be meant. */
const LEAST_WORD = 4;
/** Scripts without spaces, and the signs and full-width forms of East Asia: a line's end says nothing there. Hangul has spaces. */
const DENSE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Bopomofo}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u3000-\u303f\u30fc\ufe30-\ufe4f\uff01-\uff60]/u;

/** The text of a page. */
export function pageText(items: readonly Item[]): string {
  const lines = linesOf(items);
  const words = knownWords(lines);
  let text = "";
  for (const [at, line] of lines.entries()) {
    const last = lines[at - 1];
    if (last !== undefined) {
      const apart = Math.abs(last.y - line.y) > PARAGRAPH_GAP * Math.max(last.height, line.height);
      const parted = apart ? undefined : word(text, line.text, words);
      if (parted !== undefined) text = parted;
      else if (apart) text += "\n\n";
      else if (!goesOn(last, line, lines)) text += "\n";
      else if (!(DENSE.test(lastOf(text)) && DENSE.test(firstOf(line.text)))) text += " ";
    }
    text += line.text;
  }
  return text.trim();
}

const lastOf = (text: string): string => /.$/su.exec(text)?.[0] ?? "";
const firstOf = (text: string): string => String.fromCodePoint(text.codePointAt(0) ?? 32);

/** The text so far, ready for the rest of a word or for the next one; `undefined` where none is parted. */
function word(text: string, next: string, words: ReadonlySet<string>): string | undefined {
  const groups = PARTED.exec(text)?.groups;
  const rest = REST.exec(next)?.[0];
  if (groups === undefined || rest === undefined) return undefined;
  const { begun = "", hyphen = "" } = groups;
  const without = text.slice(0, -hyphen.length);
  if (hyphen === "\u00ad") return without;
  if (LINKS.has(rest.toLowerCase())) return `${text} `;
  const small = /[\p{Ll}\p{M}]$/u.test(begun) && /^\p{Ll}/u.test(rest);
  return small && !keeps(plain(begun), plain(rest), words) ? without : text;
}

/** Whether a hyphen at a line's end is a part of the word. */
function keeps(begun: string, rest: string, words: ReadonlySet<string>): boolean {
  if (begun.includes("-") || rest.includes("-") || KEEPING.has(begun)) return true;
  if (words.has(begun + rest)) return false;
  const alone = (part: string): boolean => part.length >= LEAST_WORD && words.has(part);
  return words.has(`${begun}-${rest}`) || (alone(begun) && alone(rest));
}

function plain(text: string): string {
  return text.replaceAll("‐", "-").replaceAll("\u00ad", "").toLowerCase();
}

/** The words of a page, with the hyphens within them; without those that a line's end parts. */
function knownWords(lines: readonly Line[]): ReadonlySet<string> {
  const words = new Set<string>();
  let parted = false;
  for (const { text } of lines) {
    const found = [...text.matchAll(/[\p{L}\p{M}\p{N}‐\u00ad-]+/gu)];
    for (const [at, [each]] of found.entries()) {
      if (!(at === 0 && parted) && !/[-‐\u00ad]$/.test(each)) words.add(plain(each));
    }
    parted = PARTED.test(text);
  }
  return words;
}

function linesOf(items: readonly Item[]): Line[] {
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
 * does. Its width is a share of its line's, and the space before it counts: a line's height is ample for both. In a script without spaces
 * a word is a character.
 */
function goesOn(last: Line, next: Line, lines: readonly Line[]): boolean {
  let edge = -Infinity;
  for (const { left, right } of lines) if (Math.abs(left - next.left) < 1 && right > edge) edge = right;
  const begins = next.text.trimStart();
  const [first = ""] = DENSE.test(firstOf(begins)) ? [firstOf(begins)] : begins.split(/\s/, 1);
  const width = ((next.right - next.left) * first.length) / next.text.length;
  return Math.abs(last.height - next.height) < 1 && last.right + width + last.height > edge;
}
