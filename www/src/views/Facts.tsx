import type { VNode } from "preact";

/** A line of a definition list. The plain value is kept in the element for programs. */
export interface Fact {
  readonly key: string;
  readonly label: string;
  readonly text: string;
  readonly value: number | string;
}

interface Props {
  readonly id?: string;
  readonly label: string;
  readonly facts: readonly Fact[];
}

/** Names and values. */
export function Facts({ id, label, facts }: Props): VNode | null {
  if (facts.length === 0) return null;
  return (
    <dl id={id} class="facts" aria-label={label}>
      {facts.map(({ key, label: name, text, value }) => (
        <div key={key}>
          <dt>{name}</dt>
          <dd data-fact={key} data-value={String(value)}>
            {text}
          </dd>
        </div>
      ))}
    </dl>
  );
}
