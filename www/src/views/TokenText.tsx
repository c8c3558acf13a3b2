import { Component, type VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { Token } from "../state/playing";
import { state } from "../state/work";
import { useFollowing } from "./following";
import { Why } from "./Why";

interface Props {
  readonly prompt: string;
  readonly tokens: readonly Token[];
}

/** Steps of the keys that go through the tokens. */
const STEPS: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

/**
 * The answer, each token shaded by how likely it was. Pointing at one, or going through them with the arrow keys, shows what else could
 * have come; the tokens are one stop for the tab key.
 */
export function TokenText({ prompt, tokens }: Props): VNode {
  const text = useRef<HTMLDivElement>(null);
  const [shown, setShown] = useState<number | undefined>(undefined);
  const [stop, setStop] = useState(0);
  const why = shown === undefined ? undefined : tokens[shown];
  const explained = tokens.some(({ probability }) => probability !== undefined);

  useFollowing(text, tokens);
  useEffect(() => {
    if (tokens.length > 0) return;
    setShown(undefined);
    setStop(0);
  }, [tokens.length]);

  const tokenAt = (target: EventTarget | null): number | undefined => {
    const at = target instanceof HTMLElement ? target.closest<HTMLElement>(".token")?.dataset.at : undefined;
    return at === undefined ? undefined : Number(at);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = tokenAt(event.target);
    if (event.key === "Escape") setShown(undefined);
    if (at === undefined) return;
    const step = STEPS[event.key];
    const goal = event.key === "Home" ? 0 : event.key === "End" ? tokens.length - 1 : step === undefined ? undefined : at + step;
    if (goal === undefined) return;
    event.preventDefault();
    text.current?.querySelector<HTMLElement>(`[data-at="${Math.max(0, Math.min(tokens.length - 1, goal))}"]`)?.focus();
  };

  return (
    <div
      class="written"
      onPointerLeave={() => {
        setShown(undefined);
      }}
    >
      <div
        id="answer"
        ref={text}
        class="answer"
        role="region"
        aria-label="Text of the answer"
        aria-busy={state.value === "generating"}
        tabindex={0}
        onKeyDown={onKeyDown}
        onPointerOver={(event) => {
          setShown(tokenAt(event.target));
        }}
        onFocusIn={(event) => {
          const at = tokenAt(event.target);
          setShown(at);
          if (at !== undefined) setStop(at);
        }}
        onFocusOut={() => {
          setShown(undefined);
        }}
      >
        <span class="echo">{prompt}</span>
        {tokens.map((token, at) => (
          <TokenSpan key={at} at={at} token={token} stop={explained && at === stop} active={at === shown} />
        ))}
      </div>
      {why?.probability !== undefined && shown !== undefined && <Why token={why} at={shown} text={text} />}
      {explained && <Legend />}
    </div>
  );
}

interface TokenProps {
  readonly at: number;
  readonly token: Token;
  /** Whether the tab key stops here. */
  readonly stop: boolean;
  readonly active: boolean;
}

/** One token; drawn again only when something about it changes, since there may be thousands. */
class TokenSpan extends Component<TokenProps> {
  override shouldComponentUpdate(next: TokenProps): boolean {
    const { token, stop, active } = this.props;
    return next.token !== token || next.stop !== stop || next.active !== active;
  }

  override render({ at, token, stop, active }: TokenProps): VNode {
    const { id, text, probability } = token;
    return (
      <span
        class={probability === undefined ? "token" : `token ${shade(probability)}`}
        data-at={at}
        data-id={id ?? undefined}
        tabindex={probability === undefined ? undefined : stop ? 0 : -1}
        aria-describedby={active ? "why" : undefined}
      >
        {text}
      </span>
    );
  }
}

/** Shades, from the least likely on: the probability below which each is taken, and what it is called. */
const SHADES = [
  [0.05, "p5", "under 5%"],
  [0.2, "p20", "under 20%"],
  [0.5, "p50", "under 50%"],
  [0.9, "p90", "under 90%"],
] as const;

function shade(probability: number): string {
  return SHADES.find(([below]) => probability < below)?.[1] ?? "p100";
}

function Legend(): VNode {
  return (
    <p class="legend">
      <span>Point at a token, or go through them with the arrow keys, to see what else could have come.</span>
      <span class="legend-shades">
        {SHADES.map(([, name, label]) => (
          <span key={name} class={`token ${name}`}>
            {label}
          </span>
        ))}
      </span>
    </p>
  );
}
