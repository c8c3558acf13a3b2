// The worker that owns the wasm core of the build `full`: a shared memory, and workers of its own that lend the pool their
// threads. `loadModel` starts it.

import init, { createEngine, lastPanic, poolVacancies } from "../wasm/full/rushlight.js";
import { compile, reserveMemory, type SharedCore } from "./shared-core.js";
import { serve } from "./serve.js";

/** A worker that has no place after this time counts as failed. It may still come: the pool goes on without it. */
const PATIENCE_MS = 10_000;

let shared: SharedCore | undefined;

serve({
  core: {
    async init() {
      // Written out in this form so that bundlers find the file.
      const module = await compile(new URL("../wasm/full/rushlight_bg.wasm", import.meta.url));
      const memory = reserveMemory();
      shared = { module, memory };
      return await init({ module_or_path: module, memory });
    },
    createEngine,
    lastPanic,
    poolVacancies,
  },
  async lendThreads(count) {
    await Promise.all(Array.from({ length: count }, lendThread));
  },
});

/** Starts a worker, and waits until it has a place in the pool or cannot have one. */
function lendThread(): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      resolve();
    };
    setTimeout(done, PATIENCE_MS);
    try {
      const worker = new Worker(new URL("./pool-worker.js", import.meta.url), { type: "module", name: "rushlight-pool" });
      worker.onmessage = done;
      // Later as well: what a trap there means is said here, by the trap of whoever waited for it.
      worker.onerror = (event) => {
        event.preventDefault();
        done();
      };
      worker.postMessage(shared);
    } catch {
      // Fewer threads, which `model.info` says.
      done();
    }
  });
}
