import type { VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import type { Token } from "../state/playing";
import { percent } from "../words/format";

interface Props {
  readonly token: Token;
  readonly at: number;
  /** The element that holds the tokens. */
  readonly text: { readonly current: HTMLElement | null };
}

/** White space that would not be seen. */
function visible(text: string): string {
  return text.replace(/^ | $/g, "␣").replaceAll("\n", "↵").replaceAll("\t", "⇥") || "(nothing to see)";
}

/** Why the model said that: how likely the token was, and what else could have come. */
export function Why({ token, at, text }: Props): VNode {
  const card = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (card.current !== null && text.current !== null) place(card.current, text.current, at);
  });
  const { id, alternatives, probability = 0 } = token;
  const rank = alternatives.findIndex((other) => other.id === id);
  return (
    <div id="why" ref={card} class="why" role="tooltip">
      <p class="why-token">
        <strong>{visible(token.text)}</strong> <span>{percent(probability)}</span>{" "}
        <span class="note">{rank === 0 ? "the likeliest" : rank > 0 ? `number ${rank + 1}` : "not among the likeliest"}</span>
      </p>
      <ul>
        {alternatives.map((other) => (
          <li key={other.id} class={other.id === id ? "taken" : ""}>
            <span class="why-text">{visible(other.text)}</span>
            <meter aria-hidden="true" min={0} max={1} value={other.probability} />
            <span class="figures">{percent(other.probability)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Puts the card under its token, within the width of the text; above where there is no room below. */
function place(card: HTMLElement, text: HTMLElement, at: number): void {
  const token = text.querySelector(`[data-at="${at}"]`);
  const around = text.parentElement?.getBoundingClientRect();
  // A token that is broken over two lines has two boxes: the card belongs to the last.
  const box = token === null ? undefined : [...token.getClientRects()].at(-1);
  if (around === undefined || box === undefined) return;
  const left = Math.max(0, Math.min(box.left - around.left, around.width - card.offsetWidth));
  const below = box.bottom + card.offsetHeight + 8 < window.innerHeight;
  // It touches the token, so that the pointer can go over to it.
  const top = below ? box.bottom - around.top - 1 : box.top - around.top - card.offsetHeight + 1;
  card.style.left = `${left}px`;
  card.style.top = `${top}px`;
}
