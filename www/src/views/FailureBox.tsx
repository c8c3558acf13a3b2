import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { failure } from "../state/work";

/** What went wrong last: a sentence, what can be done, and the code. */
export function FailureBox(): VNode {
  const box = useRef<HTMLDivElement>(null);
  const what = failure.value;
  useEffect(() => {
    if (what !== undefined) box.current?.scrollIntoView({ block: "nearest" });
  }, [what]);
  return (
    <div id="failure" ref={box} role="alert" hidden={what === undefined} data-code={what?.code}>
      {what !== undefined && (
        <>
          <strong>{what.title}</strong>
          <p>{what.advice}</p>
          <code>
            {what.code}: {what.detail}
          </code>
          <button
            type="button"
            class="close"
            aria-label="Close this message"
            onClick={() => {
              failure.value = undefined;
            }}
          >
            ×
          </button>
        </>
      )}
    </div>
  );
}
