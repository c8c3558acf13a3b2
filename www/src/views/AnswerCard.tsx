import type { VNode } from "preact";

import type { AnswerSpan } from "../engine";
import { type Answered, answered, goTo, streamed } from "../state/asking";
import { type Doc, pageOf } from "../state/documents";
import { percent } from "../words/format";

/** The answer, how sure it is, and where it stands. */
export function AnswerCard(): VNode | null {
  const done = answered.value;
  if (done === undefined && streamed.value === undefined) return null;
  return (
    <section id="found" class="card answer-card" aria-labelledby="found-title" aria-busy={done === undefined}>
      <h3 id="found-title">Answer</h3>
      {done === undefined ? <p class="answer-text">{streamed.value}</p> : <Found found={done} />}
    </section>
  );
}

function Found({ found }: { readonly found: Answered }): VNode {
  const { answer } = found;
  if (answer.answer === "") return <NotFound found={found} />;
  return (
    <>
      <p class="asked">{found.question}</p>
      <p class="answer-text" id="found-text">
        {answer.answer}
      </p>
      {found.freely ? <Support value={answer.confidence} /> : <Confidence value={answer.confidence} />}
      <SpanList found={found} spans={answer.spans} label="Where it stands" />
      <Others found={found} title="Other possible answers" />
      <ReadPassages found={found} />
    </>
  );
}

function NotFound({ found }: { readonly found: Answered }): VNode {
  const { answer } = found;
  return (
    <>
      <p class="asked">{found.question}</p>
      <p class="answer-text none" id="found-text">
        {found.documents.length === 1 ? "This document doesn’t" : "These documents don’t"} answer that.
      </p>
      {!found.freely && <Confidence value={answer.confidence} />}
      <Unread documents={found.documents} />
      <Others found={found} title="Guesses that were set aside" />
      <ReadPassages found={found} />
    </>
  );
}

/** What could not be read, and so cannot have been found. */
function Unread({ documents }: { readonly documents: readonly Doc[] }): VNode | null {
  const pages = documents.reduce((sum, { without }) => sum + without.length, 0);
  if (pages === 0) return null;
  return (
    <p class="note">
      {pages === 1 ? "One page without text was" : `${pages} pages without text were`} not read: scanned pages have to go through text
      recognition first.
    </p>
  );
}

/** What else it could be, each with how likely it is. */
function Others({ found, title }: { readonly found: Answered; readonly title: string }): VNode | null {
  const { alternatives } = found.answer;
  if (alternatives.length === 0) return null;
  return (
    <details>
      <summary>{title}</summary>
      <SpanList found={found} spans={alternatives} label={title} scored />
    </details>
  );
}

/** Words for how sure it is, from the surest on. */
const SURE = [
  [0.8, "Sure"],
  [0.5, "Fairly sure"],
  [0.25, "Unsure"],
  [0, "Hardly more than a guess"],
] as const;

function Confidence({ value }: { readonly value: number }): VNode {
  const words = SURE.find(([least]) => value >= least)?.[1] ?? "";
  return <Share label="Confidence" value={value} words={`${words}: ${percent(value)}`} />;
}

/** A model that writes freely does not say how sure it is: what can be told is how much of it stands in the documents. */
function Support({ value }: { readonly value: number }): VNode {
  return (
    <>
      <Share label="Support" value={value} words={`${percent(value)} of it is in the source below`} />
      <p class="note">In its own words the model errs more often. Compare it with the document.</p>
    </>
  );
}

function Share({ label, value, words }: { readonly label: string; readonly value: number; readonly words: string }): VNode {
  return (
    <p class="confidence">
      <meter id="confidence" aria-label={label} min={0} max={1} low={0.25} high={0.5} optimum={1} value={value} />
      <span>{words}</span>
    </p>
  );
}

interface SpansProps {
  readonly found: Answered;
  readonly spans: readonly AnswerSpan[];
  readonly label: string;
  readonly scored?: boolean;
}

/** Ways to the places that answer. */
function SpanList({ found, spans, label, scored = false }: SpansProps): VNode {
  return (
    <ul class="sources" aria-label={label}>
      {spans.map((span) => (
        <li key={`${span.document}:${span.start}`}>
          <blockquote>
            <Quote found={found} span={span} />
          </blockquote>
          <button
            type="button"
            class="link"
            onClick={() => {
              goTo(found, span, true);
            }}
          >
            {place(found, span.document, span.start)}
          </button>
          {scored && <span class="note"> {percent(span.confidence)}</span>}
        </li>
      ))}
    </ul>
  );
}

function place({ documents }: Answered, document: number, offset: number): string {
  const doc = documents[document];
  if (doc === undefined) return "Show it";
  const page = pageOf(doc, offset);
  return page === undefined ? doc.title : `${doc.title}, page ${page}`;
}

/** How much of the text around a span is quoted with it, in characters. */
const AROUND = 90;

/** The span with what stands around it, cut at words. */
function Quote({ found, span }: { readonly found: Answered; readonly span: AnswerSpan }): VNode {
  const text = found.documents[span.document]?.text ?? "";
  const before = text.slice(Math.max(0, span.start - AROUND), span.start).split(/\n\s*\n/).at(-1) ?? "";
  const after = text.slice(span.end, span.end + AROUND).split(/\n\s*\n/, 1)[0] ?? "";
  const cutBefore = before.length === Math.min(AROUND, span.start) && span.start > AROUND;
  return (
    <>
      {cutBefore ? `…${before.replace(/^\S*/, "")}` : before.trimStart()}
      <mark>{text.slice(span.start, span.end)}</mark>
      {after.length === AROUND ? `${after.replace(/\S*$/, "")}…` : after.trimEnd()}
    </>
  );
}

/** What was read for the answer: where to look if it is wrong. */
function ReadPassages({ found }: { readonly found: Answered }): VNode | null {
  const { passages } = found.answer;
  if (passages.length === 0) return null;
  const how = found.search === "meaning" ? "found by meaning" : "found by words of the question";
  return (
    <details open={found.answer.answer === ""}>
      <summary>
        {found.answer.answer === "" ? "The nearest passages" : "What was read"}, {how}
      </summary>
      {found.search === "fallback" && (
        <p class="note">
          The model that finds passages by meaning could not be fetched. Its address is under <a href="#models">Models</a>.
        </p>
      )}
      <ul class="sources" aria-label="Passages">
        {passages.map((passage) => (
          <li key={`${passage.document}:${passage.start}`}>
            <blockquote class="clamped">{found.documents[passage.document]?.text.slice(passage.start, passage.end).trim()}</blockquote>
            <button
              type="button"
              class="link"
              onClick={() => {
                goTo(found, passage, true);
              }}
            >
              {place(found, passage.document, passage.start)}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
