import type { VNode } from "preact";

import { before } from "../state/first_load";
import { loaded } from "../state/model";
import { asChat, generate, prompt, stats, written } from "../state/playing";
import { chatting, type GenerateStats } from "../engine";
import { count, duration, speed } from "../words/format";
import { type Fact, Facts } from "./Facts";
import { HeadedText, Send, sends } from "./Form";
import { Sampling } from "./Sampling";
import { TokenText } from "./TokenText";

/** A prompt, the sampler's controls, and the answer token by token. */
export function Playground(): VNode {
  return (
    <>
      <div class="lead">
        <h2 id="playground-title" tabindex={-1}>Playground</h2>
        <p>Give the model a beginning, and see what it makes of it, how likely each token was, and what else it had in mind.</p>
      </div>
      <form id="form" class="play" onSubmit={sends(generate)}>
        <div class="play-text">
          <PromptCard />
          <WrittenCard />
        </div>
        <Sampling />
      </form>
    </>
  );
}

function PromptCard(): VNode {
  const model = loaded.value?.model;
  const canChat = model !== undefined && chatting(model) !== undefined;
  return (
    <div class="card">
      <HeadedText id="prompt" heading="Prompt" text={prompt} rows={4} describedBy="prompt-hint" />
      <div class="row">
        <p id="prompt-hint" class="note">
          The model continues this text.{" "}
          <span class="keys">
            <kbd>Ctrl</kbd> <kbd>Enter</kbd> starts.{" "}
          </span>
          {before("It")}
        </p>
        {canChat && (
          <label class="check">
            <input id="as-chat" type="checkbox" checked={asChat.value} onChange={(event) => (asChat.value = event.currentTarget.checked)} />
            Send as a chat message
          </label>
        )}
        <Send id="generate">Generate</Send>
      </div>
    </div>
  );
}

function WrittenCard(): VNode {
  const end = stats.value;
  return (
    <section class="card" aria-labelledby="written-title">
      <h3 id="written-title">Answer</h3>
      {written.value === undefined ? <p class="note">Nothing is written yet.</p> : <TokenText {...written.value} />}
      {end !== undefined && <Facts id="stats" label="Statistics of the answer" facts={answerFacts(end)} />}
    </section>
  );
}

function answerFacts(stats: GenerateStats): Fact[] {
  const { promptTokens, tokens, firstTokenMs, prefillTokensPerSecond, decodeTokensPerSecond } = stats;
  return [
    { key: "decode", label: "Writing", text: speed(decodeTokensPerSecond), value: decodeTokensPerSecond },
    { key: "prefill", label: "Reading the prompt", text: speed(prefillTokensPerSecond), value: prefillTokensPerSecond },
    { key: "first-token-ms", label: "First token after", text: duration(firstTokenMs), value: firstTokenMs },
    { key: "tokens", label: "New tokens", text: count(tokens), value: tokens },
    { key: "prompt-tokens", label: "Prompt tokens", text: count(promptTokens), value: promptTokens },
  ];
}
