import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { target } from "../state/asking";
import { documents, shown } from "../state/documents";
import { Sections } from "./Sections";

/** The document that is shown, with what was read and what answers marked in it. */
export function Reader(): VNode {
  const doc = documents.value.find(({ id }) => id === shown.value);
  const body = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (target.peek()?.document !== doc?.id) body.current?.scrollTo(0, 0);
  }, [doc]);
  if (doc === undefined) return <Explanation />;
  return (
    <section class="card reader" aria-labelledby="reader-title">
      <h3 id="reader-title">{doc.title}</h3>
      <div id="reader" ref={body} class="reader-body" tabindex={0} role="region" aria-label={`Text of ${doc.title}`}>
        <Sections key={doc.id} doc={doc} body={body} />
      </div>
    </section>
  );
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
