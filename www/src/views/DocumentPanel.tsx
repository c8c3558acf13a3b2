import { useSignal } from "@preact/signals";
import type { VNode } from "preact";

import { ACCEPTED, type DocumentKind } from "../read/index";
import { SAMPLE_TEXT, SAMPLE_TITLE } from "../sample";
import { addFiles, addText, type Doc, documents, note, reading, remove, shown, stopReading, withoutText } from "../state/documents";
import { count } from "../words/format";
import { ProgressLine } from "./ProgressLine";

/** Which documents there are, and how to add some. */
export function DocumentPanel(): VNode {
  const empty = documents.value.length === 0;
  return (
    <section class={empty ? "card documents welcome" : "card documents"} aria-labelledby="documents-title">
      <h3 id="documents-title">Documents</h3>
      {empty && <p class="note">Drop or paste text, Markdown, HTML or PDF anywhere on this page.</p>}
      <DocumentList />
      <p id="document-note" class="unseen" role="status">
        {note.value}
      </p>
      <ReadingLine />
      <AddDocuments empty={empty} />
    </section>
  );
}

function AddDocuments({ empty }: { readonly empty: boolean }): VNode {
  const pasting = useSignal(false);
  const choose = (event: Event & { readonly currentTarget: HTMLInputElement }): void => {
    const files = [...(event.currentTarget.files ?? [])];
    event.currentTarget.value = "";
    void addFiles(files);
  };
  const trySample = (): void => {
    void addFiles([new File([SAMPLE_TEXT], SAMPLE_TITLE, { type: "text/markdown" })]);
  };
  return (
    <>
      <div class="actions">
        <label class={empty ? "button primary" : "button"}>
          <input id="document-file" class="unseen" type="file" multiple accept={ACCEPTED} onChange={choose} />
          Add files
        </label>
        <button type="button" aria-expanded={pasting.value} aria-controls="paste" onClick={() => (pasting.value = !pasting.value)}>
          Paste text
        </button>
        {empty && (
          <button type="button" class="link" onClick={trySample}>
            Try a sample
          </button>
        )}
      </div>
      <PasteForm open={pasting.value} done={() => (pasting.value = false)} />
    </>
  );
}

function PasteForm({ open, done }: { readonly open: boolean; readonly done: () => void }): VNode {
  const text = useSignal("");
  const add = (event: Event): void => {
    event.preventDefault();
    if (!addText(text.value)) return;
    text.value = "";
    done();
  };
  return (
    <form id="paste" class="paste" hidden={!open} onSubmit={add}>
      <label for="paste-text">Text to ask</label>
      <textarea id="paste-text" rows={6} value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} />
      <button type="submit">Add this text</button>
    </form>
  );
}

/** The file that is being read, where that takes a while. */
function ReadingLine(): VNode | null {
  const now = reading.value;
  if (now === undefined) return null;
  return (
    <div class="reading">
      <p>
        Reading {now.title}…{" "}
        <button type="button" class="link" onClick={stopReading}>
          Stop
        </button>
      </p>
      <ProgressLine label={`Reading ${now.title}`} progress={now.progress} />
    </div>
  );
}

function DocumentList(): VNode | null {
  if (documents.value.length === 0) return null;
  return (
    <ul class="document-list">
      {documents.value.map((doc) => (
        <li key={doc.id} class={doc.id === shown.value ? "current" : ""}>
          <button
            type="button"
            class="document"
            aria-pressed={doc.id === shown.value}
            onClick={() => {
              shown.value = doc.id;
            }}
          >
            <span class="document-title">{doc.title}</span>
            <span class="document-size">{sizeOf(doc)}</span>
            {doc.without.length > 0 && <span class="document-size document-without">{sentenceCase(withoutText(doc.without))}</span>}
          </button>
          <button
            type="button"
            class="close"
            aria-label={`Remove ${doc.title}`}
            onClick={() => {
              remove(doc.id);
            }}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}

const KINDS: Readonly<Record<DocumentKind, string>> = { text: "Text", markdown: "Markdown", html: "HTML", pdf: "PDF" };

function sentenceCase(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function sizeOf({ kind, words, pages }: Doc): string {
  const length = pages.length > 1 ? `${count(pages.length)} pages` : `${count(words)} words`;
  return `${KINDS[kind]} · ${length}`;
}
