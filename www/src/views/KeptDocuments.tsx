import type { VNode } from "preact";
import { useEffect } from "preact/hooks";

import type { KeptIndex } from "../engine";
import { discardDocument, keptDocuments, lookUpDocuments } from "../state/kept_documents";
import { view } from "../state/presets";
import { ago, bytes, count } from "../words/format";

/** What is kept of long documents; nothing is shown while that is none. */
export function KeptDocuments(): VNode | null {
  const now = view.value;
  useEffect(() => {
    if (now === "models") void lookUpDocuments();
  }, [now]);
  const documents = keptDocuments.value ?? [];
  if (documents.length === 0) return null;
  return (
    <>
      <h4 id="kept-documents-title">Of long documents</h4>
      <p class="note">What their sentences mean, in numbers, so that they are searched at once when you add them again. Their text is not kept.</p>
      <ul class="kept" aria-labelledby="kept-documents-title">
        {documents.map((document) => (
          <DocumentLine key={document.name} document={document} />
        ))}
      </ul>
    </>
  );
}

function DocumentLine({ document }: { readonly document: KeptIndex }): VNode {
  const { title, bytes: size, done, sentences, lastUsed } = document;
  const name = title === "" ? "Untitled" : title;
  return (
    <li>
      <div class="kept-name">
        <strong>{name}</strong>
        <span class="note">{done === sentences ? `${count(sentences)} sentences` : `${count(done)} of ${count(sentences)} sentences`}</span>
      </div>
      <div class="kept-size">
        <span>{bytes(size)}</span>
        <span class="note">used {ago(lastUsed)}</span>
      </div>
      <div class="kept-actions">
        <button type="button" class="small" onClick={() => void discardDocument(document)} aria-label={`Delete what is kept of ${name}`}>
          Delete
        </button>
      </div>
    </li>
  );
}
