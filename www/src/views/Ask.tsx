import type { VNode } from "preact";

import { askDocuments, mode, question } from "../state/asking";
import { documents } from "../state/documents";
import { beforeAsking } from "../state/first_load";
import { busy } from "../state/work";
import { SAMPLE_QUESTIONS, SAMPLE_TITLE } from "../sample";
import { AnswerCard } from "./AnswerCard";
import { DocumentPanel } from "./DocumentPanel";
import { Choice, HeadedText, Send, sends } from "./Form";
import { IndexLine } from "./IndexLine";
import { Reader } from "./Reader";

/** Documents, a question, its answer, and where it stands. */
export function Ask(): VNode {
  return (
    <>
      <div class="lead">
        <h2 id="ask-title" tabindex={-1}>Ask your documents</h2>
        <p>The model reads them in this tab. Nothing you add or type leaves this machine.</p>
      </div>
      <div class="ask">
        <div class="ask-work">
          <DocumentPanel />
          <QuestionForm />
          <AnswerCard />
          <IndexLine />
        </div>
        <Reader />
      </div>
    </>
  );
}

const send = sends(askDocuments);

function QuestionForm(): VNode {
  const onKeyDown = (event: KeyboardEvent): void => {
    // A question is one line; Shift breaks it all the same.
    if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    send(event);
  };
  return (
    <form class="card question" onSubmit={send}>
      <HeadedText id="question" heading="Question" text={question} rows={2} placeholder="What would you like to know?" onKeyDown={onKeyDown} />
      <Suggestions />
      <div class="row">
        <Choice id="ask-mode" label="Answer" value={mode} options={{ extract: "in the documents’ words", free: "in its own words" }} />
        <Send id="ask-button">Ask</Send>
      </div>
      <FirstLoad />
    </form>
  );
}

/** What the first question brings with it. */
function FirstLoad(): VNode | null {
  const words = beforeAsking();
  return words === "" ? null : (
    <p id="first-load" class="note">
      {words}
    </p>
  );
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
