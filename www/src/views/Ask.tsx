import type { VNode } from "preact";

import { askDocuments, mode, question } from "../state/asking";
import { documents } from "../state/documents";
import { chosen, chosenName, lastPart, loaded, loadedEmbedder } from "../state/model";
import { busy } from "../state/work";
import { SAMPLE_QUESTIONS, SAMPLE_TITLE } from "../sample";
import { AnswerCard } from "./AnswerCard";
import { DocumentPanel } from "./DocumentPanel";
import { Reader } from "./Reader";

/** Documents, a question, its answer, and where it stands. */
export function Ask(): VNode {
  return (
    <>
      <div class="lead">
        <h2 id="ask-title">Ask your documents</h2>
        <p>The model reads them in this tab. Nothing you add or type leaves this machine.</p>
      </div>
      <div class="ask">
        <div class="ask-work">
          <DocumentPanel />
          <QuestionForm />
          <AnswerCard />
        </div>
        <Reader />
      </div>
    </>
  );
}

function QuestionForm(): VNode {
  const submit = (event: Event): void => {
    event.preventDefault();
    void askDocuments();
  };
  return (
    <form class="card question" onSubmit={submit}>
      <label class="heading" for="question">
        Question
      </label>
      <textarea
        id="question"
        rows={2}
        value={question.value}
        placeholder="What would you like to know?"
        onInput={(event) => (question.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          // A question is one line; Shift breaks it all the same.
          if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey || event.isComposing) return;
          submit(event);
        }}
      />
      <Suggestions />
      <div class="row">
        <div class="field">
          <label for="ask-mode">Answer</label>
          <select id="ask-mode" value={mode.value} onChange={(event) => (mode.value = event.currentTarget.value as "extract" | "free")}>
            <option value="extract">in the documents’ words</option>
            <option value="free">in its own words</option>
          </select>
        </div>
        <button id="ask-button" type="submit" class="primary end" disabled={busy.value}>
          Ask
        </button>
      </div>
      <FirstLoad />
    </form>
  );
}

/** What the first question brings with it. */
function FirstLoad(): VNode | null {
  const finds = chosen.search.value === "meaning" && loadedEmbedder.value === undefined ? lastPart(chosen.embedder.value) : "";
  const names = [loaded.value === undefined ? chosenName() : "", finds].filter((name) => name !== "");
  return names.length === 0 ? null : <p class="note">Asking first loads {names.join(" and ")}.</p>;
}

/** What the sample may be asked. */
function Suggestions(): VNode | null {
  if (!documents.value.some(({ title }) => title === SAMPLE_TITLE)) return null;
  return (
    <ul class="suggestions" aria-label="Questions to try">
      {SAMPLE_QUESTIONS.map((text) => (
        <li key={text}>
          <button type="button" class="chip" disabled={busy.value} onClick={() => (question.value = text)}>
            {text}
          </button>
        </li>
      ))}
    </ul>
  );
}
