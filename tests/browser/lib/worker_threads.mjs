// Threads of workers, as the kernel counts them.

import { readdirSync, readFileSync } from "node:fs";

/** Threads that run a worker's script, in all processes of Chromium: it names them so. */
export function workerThreads() {
  let count = 0;
  for (const process of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      for (const thread of readdirSync(`/proc/${process}/task`)) {
        if (readFileSync(`/proc/${process}/task/${thread}/comm`, "utf8").startsWith("DedicatedWorker")) count++;
      }
    } catch {
      // It ended while we looked.
    }
  }
  return count;
}
