import type { VNode } from "preact";

import { type Progress, progressText } from "../words/progress";

interface Props {
  readonly id?: string;
  /** What is going on, for those who do not see it. */
  readonly label: string;
  /** `undefined` while nothing can be counted. */
  readonly progress: Progress | undefined;
}

/** A bar, and what it stands for in figures. */
export function ProgressLine({ id, label, progress }: Props): VNode {
  const known = progress?.total !== undefined && progress.total > 0;
  return (
    <div class="progress-line">
      {known ? (
        <progress id={id} aria-label={label || "Progress"} max={progress.total} value={Math.min(progress.done, progress.total)} />
      ) : (
        <progress id={id} aria-label={label || "Progress"} key="unknown" />
      )}
      <p id={id === undefined ? undefined : `${id}-text`} class="figures">
        {progress === undefined ? "" : progressText(progress)}
      </p>
    </div>
  );
}
