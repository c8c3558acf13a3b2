import type { ComponentChildren, VNode } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { answered, target } from "../state/asking";
import { type Doc, documents, shown } from "../state/documents";

/** The document that is shown, with what was read and what answers marked in it. */
export function Reader(): VNode {
  const doc = documents.value.find(({ id }) => id === shown.value);
  const body = useRef<HTMLDivElement>(null);
  const goal = target.value;
  useLayoutEffect(() => {
    if (goal !== undefined && goal.document === doc?.id && body.current !== null) reveal(body.current, goal.start, goal.focus);
  }, [goal, doc]);
  useEffect(() => {
    if (target.peek()?.document !== doc?.id) body.current?.scrollTo(0, 0);
  }, [doc]);
  if (doc === undefined) return <Explanation />;
  return (
    <section class="card reader" aria-labelledby="reader-title">
      <h3 id="reader-title">{doc.title}</h3>
      <div id="reader" ref={body} class="reader-body" tabindex={0} role="region" aria-label={`Text of ${doc.title}`}>
        <Pages doc={doc} marks={marksIn(doc)} />
      </div>
    </section>
  );
}

/** Brings a place into view: in the document alone, or, where the visitor went there, in the page, with the focus. */
function reveal(body: HTMLElement, start: number, focus: boolean): void {
  const place = body.querySelector<HTMLElement>(`[data-start="${start}"]`);
  if (place === null) return;
  const offset = place.getBoundingClientRect().top - body.getBoundingClientRect().top;
  body.scrollTo({ top: body.scrollTop + offset - body.clientHeight / 3 });
  if (!focus) return;
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: "nearest" });
}

/** What is there before any document is. */
function Explanation(): VNode {
  return (
    <section class="reader explanation" aria-labelledby="how-title">
      <h3 id="how-title">How it works</h3>
      <ol>
        <li>
          <strong>You add documents.</strong> They are turned into text here, and are gone when the tab is; of long ones, what their sentences mean stays on this machine.
        </li>
        <li>
          <strong>You ask.</strong>{" "}
          The model is fetched once and kept; after that, no network is needed.
        </li>
        <li>
          <strong>It points at its answer.</strong> You see the words in the document, how sure it is, and when the documents don’t say.
        </li>
      </ol>
    </section>
  );
}

/** A part of a document that means something. */
interface Mark {
  readonly start: number;
  readonly end: number;
  readonly kind: "source" | "read" | "title";
}

function marksIn(doc: Doc): Mark[] {
  const found = answered.value;
  const titles = doc.kind === "markdown" ? titlesIn(doc.text) : [];
  if (found === undefined) return titles;
  const here = ({ document }: { readonly document: number }): boolean => found.documents[document]?.id === doc.id;
  const { spans, passages } = found.answer;
  return [
    ...titles,
    ...passages.filter(here).map(({ start, end }) => ({ start, end, kind: "read" as const })),
    ...spans.filter(here).map(({ start, end }) => ({ start, end, kind: "source" as const })),
  ];
}

/** Headings of Markdown. */
function titlesIn(text: string): Mark[] {
  return [...text.matchAll(/^#{1,6} .+$/gm)].map(({ index, 0: line }) => ({ start: index, end: index + line.length, kind: "title" }));
}

function Pages({ doc, marks }: { readonly doc: Doc; readonly marks: readonly Mark[] }): VNode {
  const many = doc.pages.length > 1;
  return (
    <>
      {doc.pages.map((start, at) => {
        const end = doc.pages[at + 1] ?? doc.text.length;
        return (
          <div key={start} class="page">
            {many && <p class="page-number">Page {at + 1}</p>}
            {pieces(doc.text, start, end, marks)}
          </div>
        );
      })}
    </>
  );
}

/** The text from `from` to `to`, cut wherever a mark begins or ends. */
function pieces(text: string, from: number, to: number, marks: readonly Mark[]): ComponentChildren[] {
  const inside = marks.filter(({ start, end }) => start < to && end > from);
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
