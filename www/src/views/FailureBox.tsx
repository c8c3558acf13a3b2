import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { failures, settle } from "../state/work";
import type { Failure } from "../words/failures";

/** What went wrong: for each kind a sentence and what can be done; each single one with its code, and the name of what it is about. */
export function FailureBox(): VNode {
  const box = useRef<HTMLDivElement>(null);
  const all = failures.value;
  useEffect(() => {
    if (all.length > 0) box.current?.scrollIntoView({ block: "nearest" });
  }, [all]);
  const titles = [...new Set(all.map(({ title }) => title))];
  const codes = [...new Set(all.map(({ code }) => code))];
  return (
    <div id="failure" ref={box} role="alert" hidden={all.length === 0} data-code={codes.length === 0 ? undefined : codes.join(" ")}>
      {titles.map((title) => (
        <FailureKind key={title} title={title} some={all.filter((each) => each.title === title)} />
      ))}
      {all.length > 0 && (
        <button
          type="button"
          class="close"
          aria-label={all.length === 1 ? "Close this message" : "Close these messages"}
          onClick={() => {
            settle();
          }}
        >
          ×
        </button>
      )}
    </div>
  );
}

function FailureKind({ title, some }: { readonly title: string; readonly some: readonly Failure[] }): VNode {
  return (
    <div class="failed">
      <strong>{title}</strong>
      <p>{some[0]?.advice}</p>
      {some.map(({ code, detail }) => (
        <code key={`${code} ${detail}`}>
          {code}: {detail}
        </code>
      ))}
    </div>
  );
}
