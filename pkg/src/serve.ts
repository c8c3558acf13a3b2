// What the workers of both builds have in common: a host on the worker's own channel.

import { askAdapter } from "./adapter.js";
import { Host, type Surroundings } from "./host.js";
import { originFolder } from "./store/files.js";

/** Serves the page that started this worker. */
export function serve({ core, lendThreads }: Pick<Surroundings, "core" | "lendThreads">): void {
  const turns = new MessageChannel();
  const resume: (() => void)[] = [];
  turns.port1.onmessage = () => resume.shift()?.();

  /** A turn of the event loop. A message, because timers are clamped to 4 ms when they follow one another. */
  const yieldToEvents = (): Promise<void> =>
    new Promise((resolve) => {
      resume.push(resolve);
      turns.port2.postMessage(null);
    });

  const host = new Host(globalThis, { core, lendThreads, askAdapter, openStore: originFolder, yieldToEvents });

  // A trap inside an async method surfaces here: its promise never settles.
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    host.fatal(event.error);
  });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    host.fatal(event.reason);
  });
}
