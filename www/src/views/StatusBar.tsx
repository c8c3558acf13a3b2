import type { VNode } from "preact";

import { loaded } from "../state/model";
import { busy, progress, status, stop, stopWaiting, waiting } from "../state/work";
import { ProgressLine } from "./ProgressLine";

/** Which model there is, what the page is doing, how far it is, and Stop: in view wherever the page is scrolled to. */
export function StatusBar(): VNode {
  const info = loaded.value?.model.info;
  return (
    <section class="bar" aria-label="Model and progress">
      <div class="bar-line">
        <p class="bar-model">
          {info === undefined ? (
            <>
              No model loaded · <a href="#models">choose one</a>
            </>
          ) : (
            <>
              <strong>{info.name}</strong> on the <a href="#device">{info.backend.kind.toUpperCase()}</a>
            </>
          )}
        </p>
        <p id="status" role="status">
          {status.value}
        </p>
        <div class="bar-progress" hidden={!busy.value}>
          <ProgressLine id="progress" label={status.value} progress={progress.value} />
        </div>
        <button id="stop" type="button" class="small" hidden={!busy.value} onClick={stop}>
          Stop <kbd>Esc</kbd>
        </button>
      </div>
      <div role="status">
        {waiting.value !== undefined && (
          <p id="waiting" class="bar-waiting">
            {waiting.value}{" "}
            <button type="button" class="link" onClick={stopWaiting}>
              Don’t load it
            </button>
          </p>
        )}
      </div>
    </section>
  );
}
