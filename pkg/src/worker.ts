// The worker that owns the wasm core. `loadModel` starts it.

import init, { createEngine, lastPanic } from "../wasm/rushlight.js";
import { askAdapter } from "./adapter.js";
import type { CoreModule } from "./engine.js";
import { Host } from "./host.js";

const core: CoreModule = {
  // Written out in this form so that bundlers find the file.
  init: () => init({ module_or_path: new URL("../wasm/rushlight_bg.wasm", import.meta.url) }),
  createEngine,
  lastPanic,
};

const turns = new MessageChannel();
const resume: (() => void)[] = [];
turns.port1.onmessage = () => resume.shift()?.();

/** A turn of the event loop. A message, because timers are clamped to 4 ms when they follow one another. */
function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => {
    resume.push(resolve);
    turns.port2.postMessage(null);
  });
}

const host = new Host(globalThis, { core, askAdapter, yieldToEvents });

// A trap inside an async method surfaces here: its promise never settles.
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  host.fatal(event.error);
});
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  host.fatal(event.reason);
});
