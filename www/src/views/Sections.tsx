// The text of a document in sections. All of it is in the page, for the browser's own search and for selections; the style sheet has the
// browser lay out only what is near (`content-visibility`), for which each section says how high it will be.

import { Component, type ComponentChildren, type VNode } from "preact";
import { useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";

import { type Answered, answered, target } from "../state/asking";
import type { Doc } from "../state/documents";
import { linesIn, type Section, sectionAt, sectionsOf } from "../state/sections";

/** A part of a document that means something. */
interface Mark {
  readonly start: number;
  readonly end: number;
  readonly kind: "source" | "read" | "title";
}

/** A document of so many sections is laid out whole, at once. */
const FEW = 8;
/** Sections that are made and compared together. */
const GROUP = 32;
/** Groups that are made in a frame, so that a large document does not hold the page up. */
const GROUPS_A_FRAME = 3;

/** Pixels of a line, and of a character on average; what they miss, the browser sets right when it comes near. */
const LINE_HEIGHT = 28.05;
const CHARACTER = 7.6;
const WIDEST = 640;

interface Props {
  readonly doc: Doc;
  /** The element that scrolls. */
  readonly body: { readonly current: HTMLElement | null };
}

/** The whole document, with what was read and what answers marked in it. */
export function Sections({ doc, body }: Props): VNode {
  const found = answered.value;
  const goal = target.value;
  const goes = goal?.document === doc.id ? goal : undefined;
  const [made, setMade] = useState(1);
  const [width, setWidth] = useState(WIDEST);
  const groups = useMemo(() => inGroups(sectionsOf(doc)), [doc]);
  const marks = useMemo(() => marksIn(doc, groups, found), [doc, groups, found]);
  const needed = goes === undefined ? 0 : 1 + groups.findLastIndex(([first]) => first !== undefined && first.start <= goes.start);
  const count = Math.max(made, needed);

  useLayoutEffect(() => {
    if (body.current !== null) setWidth(Math.min(WIDEST, body.current.clientWidth - 2 * LINE_HEIGHT));
  }, [body]);
  useEffect(() => {
    if (count >= groups.length) return undefined;
    const frame = requestAnimationFrame(() => {
      setMade(count + GROUPS_A_FRAME);
    });
    return () => {
      cancelAnimationFrame(frame);
    };
  }, [count, groups]);
  useLayoutEffect(() => (goes === undefined || body.current === null ? undefined : reveal(body.current, goes)), [goes, body]);

  const characters = Math.max(10, Math.floor(width / CHARACTER));
  const rest = doc.text.length - (groups[count]?.[0]?.start ?? doc.text.length);
  return (
    <>
      {groups.slice(0, count).map((sections, at) => (
        <Group key={at} doc={doc} sections={sections} marks={marks[at] ?? NONE} characters={groups.length === 1 && sections.length <= FEW ? 0 : characters} />
      ))}
      {rest > 0 && <div aria-hidden="true" style={{ height: `${((rest / characters) * LINE_HEIGHT).toFixed()}px` }} />}
    </>
  );
}

const NONE: readonly Mark[] = [];

function inGroups(sections: readonly Section[]): Section[][] {
  return Array.from({ length: Math.ceil(sections.length / GROUP) }, (_, at) => sections.slice(at * GROUP, (at + 1) * GROUP));
}

/** Marks of an answer by the group that they lie in; one may lie in several. */
function marksIn(doc: Doc, groups: readonly (readonly Section[])[], found: Answered | undefined): Mark[][] {
  const byGroup: Mark[][] = [];
  if (found === undefined) return byGroup;
  const starts = groups.flatMap(([first, ...others]) => (first === undefined ? [] : [{ ...first, end: others.at(-1)?.end ?? first.end }]));
  const { spans, passages } = found.answer;
  const put = (of: readonly { document: number; start: number; end: number }[], kind: Mark["kind"]): void => {
    for (const { document, start, end } of of) {
      if (found.documents[document]?.id !== doc.id) continue;
      for (let at = sectionAt(starts, start); at < starts.length && (starts[at]?.start ?? end) < end; at++) (byGroup[at] ??= []).push({ start, end, kind });
    }
  };
  put(passages, "read");
  put(spans, "source");
  return byGroup;
}

/** Brings a place into view: in the document alone, or, where the visitor went there, in the page, with the focus. */
function reveal(body: HTMLElement, { start, focus }: { readonly start: number; readonly focus: boolean }): (() => void) | undefined {
  const place = body.querySelector<HTMLElement>(`[data-start="${start}"]`);
  if (place === null) return undefined;
  const bring = (): void => {
    const offset = place.getBoundingClientRect().top - body.getBoundingClientRect().top;
    body.scrollTo({ top: body.scrollTop + offset - body.clientHeight / 3 });
  };
  bring();
  if (focus) {
    place.focus({ preventScroll: true });
    place.scrollIntoView({ block: "nearest" });
  }
  // What stands around it is laid out only now, and may be higher or lower than was thought.
  const frame = requestAnimationFrame(() => requestAnimationFrame(bring));
  return () => {
    cancelAnimationFrame(frame);
  };
}

interface GroupProps {
  readonly doc: Doc;
  readonly sections: readonly Section[];
  readonly marks: readonly Mark[];
  /** That fit into a line; 0 where the document is laid out whole. */
  readonly characters: number;
}

/** Some sections; drawn again only when something about them changes. */
class Group extends Component<GroupProps> {
  override shouldComponentUpdate(next: GroupProps): boolean {
    const { sections, marks, characters } = this.props;
    return next.sections !== sections || next.marks !== marks || next.characters !== characters;
  }

  override render({ doc, sections, marks, characters }: GroupProps): ComponentChildren {
    return sections.map((section, at) => {
      const { start, end, page } = section;
      return (
        <div key={at} {...placeOf(doc, section, characters)}>
          {page !== undefined && <p class="page-number">Page {page}</p>}
          {page !== undefined && doc.without.includes(page) && (
            <p class="note page-without">There is no text on this page. If it is a scan, it has to go through text recognition first.</p>
          )}
          {pieces(doc.text, start, end, doc.kind === "markdown" ? [...titlesIn(doc.text, section), ...marks] : marks)}
        </div>
      );
    });
  }
}

/** How a section is laid out: with the others, or when it is near, by a guess at its height until then. */
function placeOf({ text }: Doc, section: Section, characters: number): { readonly class: string; readonly style?: { readonly containIntrinsicBlockSize: string } } {
  if (characters === 0) return { class: "page" };
  const height = linesIn(text, section, characters) * LINE_HEIGHT;
  return { class: "page near", style: { containIntrinsicBlockSize: `auto ${height.toFixed()}px` } };
}

/** Headings of Markdown. */
function titlesIn(text: string, { start, end }: Section): Mark[] {
  return [...text.slice(start, end).matchAll(/^#{1,6} .+$/gm)].map(({ index, 0: line }) => ({
    start: start + index,
    end: start + index + line.length,
    kind: "title",
  }));
}

/** The text from `from` to `to`, cut wherever a mark begins or ends. */
function pieces(text: string, from: number, to: number, marks: readonly Mark[]): ComponentChildren {
  const inside = marks.filter(({ start, end }) => start < to && end > from);
  if (inside.length === 0) return text.slice(from, to);
  const cuts = new Set([from, to, ...inside.flatMap(({ start, end }) => [Math.max(from, start), Math.min(to, end)])]);
  const edges = [...cuts].sort((a, b) => a - b);
  return edges.slice(0, -1).map((start, at) => {
    const end = edges[at + 1] ?? to;
    const over = inside.filter((mark) => mark.start <= start && mark.end >= end);
    const part = text.slice(start, end);
    if (over.length === 0) return part;
    const kinds = new Set(over.map(({ kind }) => kind));
    const Tag = kinds.has("source") ? "mark" : "span";
    return (
      <Tag key={start} class={[...kinds].join(" ")} data-start={start} tabindex={-1}>
        {part}
      </Tag>
    );
  });
}
