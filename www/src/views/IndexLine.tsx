import type { VNode } from "preact";

import { indexing, stopIndexing } from "../state/asking";
import { busy } from "../state/work";
import { ProgressLine } from "./ProgressLine";

/** What goes on behind the answers of a long document. */
export function IndexLine(): VNode | null {
  const progress = indexing.value;
  if (progress === undefined || busy.value) return null;
  return (
    <section class="card" aria-labelledby="indexing-title">
      <p id="indexing-title">Going through the rest of the document, so that the next questions search all of it by what it means. You can ask meanwhile.</p>
      <ProgressLine id="indexing" label="Sentences gone through" progress={progress} />
      <button type="button" id="stop-indexing" class="small" onClick={stopIndexing}>
        Not now
      </button>
    </section>
  );
}
