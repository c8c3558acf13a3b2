import type { VNode } from "preact";
import { useRef } from "preact/hooks";

import { knownModel } from "../state/catalogue";
import { bringBack, draft, instructions, previous, restored, send, startAnew, type Turn, type TurnEnd, turns, writing } from "../state/conversation";
import { before } from "../state/first_load";
import { chosen, lastPart, talker, writer } from "../state/model";
import { busy, stop } from "../state/work";
import { count, speed } from "../words/format";
import { useFollowing } from "./following";
import { Choice, Field, HeadedText, Send, sends } from "./Form";

/** A conversation. */
export function Chat(): VNode {
  return (
    <>
      <div class="lead">
        <h2 id="chat-title" tabindex={-1}>Chat</h2>
        <p>Talk with a small model in this tab. It errs a lot, and nothing you say leaves this machine.</p>
      </div>
      <div class="narrow chat">
        <Conversation />
        <Composer />
      </div>
    </>
  );
}

/** What was said, the latest in view. */
function Conversation(): VNode {
  const box = useRef<HTMLDivElement>(null);
  const [all, next] = [turns.value, writing.value];
  useFollowing(box, next ?? all);
  if (all.length === 0) return <Beginning />;
  return (
    <section class="card conversation" aria-labelledby="conversation-title">
      <div class="row">
        <h3 id="conversation-title">Conversation</h3>
        <button id="new-conversation" type="button" class="small end" disabled={busy.value} onClick={startAnew}>
          New conversation
        </button>
      </div>
      {restored.value && <p class="note">From your last visit. It is kept in this browser until you begin a new one.</p>}
      <div id="turns" ref={box} class="turns" role="region" aria-label="What was said" aria-busy={next !== undefined} tabindex={0}>
        <ol>
          {all.map((turn, at) => (
            <TurnLine key={at} turn={turn} />
          ))}
          {next !== undefined && <TurnLine turn={{ role: "assistant", content: next }} />}
        </ol>
      </div>
    </section>
  );
}

function TurnLine({ turn: { role, content, end } }: { readonly turn: Turn }): VNode {
  const dropped = end?.stats?.droppedTurns ?? 0;
  return (
    <li class={`turn ${role}`}>
      {dropped > 0 && (
        <p class="note turn-dropped" data-dropped={dropped}>
          {dropped === 1 ? "The oldest turn no longer fits" : `The oldest ${count(dropped)} turns no longer fit`} into what the model can hold, and
          {dropped === 1 ? " was" : " were"} left out.
        </p>
      )}
      <p class="turn-who">{role === "user" ? "You" : "Model"}</p>
      <p class="turn-text">{content.trim()}</p>
      {end !== undefined && <EndLine end={end} />}
    </li>
  );
}

/** Why an answer ended, where it was not by itself. */
const ENDS: Readonly<Record<TurnEnd["why"], string>> = {
  stop: "",
  stop_text: "",
  stopped: "Stopped.",
  length: "Cut off: this is as long as answers get here.",
  context: "Cut off: the model can hold no more.",
};

function EndLine({ end: { why, stats } }: { readonly end: TurnEnd }): VNode {
  return (
    <p class="note turn-end" data-reused={stats?.cachedTokens} data-prompt={stats?.promptTokens}>
      {ENDS[why]} {stats !== undefined && statsText(stats)}
    </p>
  );
}

function statsText({ tokens, decodeTokensPerSecond, promptTokens, cachedTokens }: NonNullable<TurnEnd["stats"]>): string {
  const fresh = `Read ${count(promptTokens - cachedTokens)} new tokens`;
  const read = cachedTokens === 0 ? fresh : `${fresh}, ${count(cachedTokens)} reused`;
  return `${read} · wrote ${count(tokens)} at ${speed(decodeTokensPerSecond)}`;
}

/** What may be said first. */
const SUGGESTIONS = ["What can you help me with?", "Why is the sky blue? Two sentences, please.", "Write four lines about a lighthouse."] as const;

function Beginning(): VNode {
  return (
    <section class="card welcome" aria-labelledby="conversation-title">
      <h3 id="conversation-title">Nothing was said yet</h3>
      <ul class="suggestions" aria-label="Things to say first">
        {SUGGESTIONS.map((text) => (
          <li key={text}>
            <button type="button" class="chip" disabled={busy.value} onClick={() => (draft.value = text)}>
              {text}
            </button>
          </li>
        ))}
      </ul>
      {previous.value.length > 0 && (
        <p class="note">
          The last conversation is gone with your next message.{" "}
          <button id="bring-back" type="button" class="link" onClick={bringBack}>
            Bring it back
          </button>
        </p>
      )}
    </section>
  );
}

const sendMessage = sends(send);

function Composer(): VNode {
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    sendMessage(event);
  };
  const answering = writing.value !== undefined;
  const loads = before("The first message", talker());
  return (
    <form id="chat-form" class="card" onSubmit={sendMessage}>
      <HeadedText id="message" heading="Your message" text={draft} rows={2} placeholder="Say something" onKeyDown={onKeyDown} />
      <div class="row">
        <p class="note">
          {loads}
          <span class="keys">
            {" "}
            <kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> begins a line.
          </span>
        </p>
        {answering ? (
          <button id="stop-answer" type="button" class="end" onClick={stop}>
            Stop
          </button>
        ) : (
          <Send id="send">Send</Send>
        )}
      </div>
      <details>
        <summary>Model and instructions</summary>
        <div class="chat-settings">
          <Choice id="talk-with" label="Talk with" value={chosen.talkWith} options={partners()} />
          <Field id="instructions" label="Instructions" hint="What the model is told before the first message. It may do without.">
            <textarea
              id="instructions"
              rows={2}
              aria-describedby="instructions-hint"
              value={instructions.value}
              onInput={(event) => (instructions.value = event.currentTarget.value)}
            />
          </Field>
        </div>
      </details>
    </form>
  );
}

function partners(): { readonly talker: string; readonly writer: string } {
  const { file, url } = writer();
  const { value } = chosen.talker;
  return { talker: knownModel(value)?.name ?? lastPart(value), writer: `${file?.name ?? lastPart(url)}, as under Models` };
}
