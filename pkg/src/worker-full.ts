// The worker that owns the wasm core of the build `full`: a shared memory, and threads that the page lends its pool. `loadModel`
// starts it.

import init, { createEngine, lastPanic, poolVacancies } from "../wasm/full/rushlight.js";
import type { Reply } from "./protocol.js";
import { compile, reserveMemory, type SharedCore } from "./shared-core.js";
import { serve } from "./serve.js";

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
    if (count === 0 || shared === undefined) return;
    const { port1, port2 } = new MessageChannel();
    const lent = new Promise((resolve) => (port1.onmessage = resolve));
    globalThis.postMessage({ type: "lend", wanted: { count, shared, port: port2 } } satisfies Reply, { transfer: [port2] });
    await lent;
  },
});
