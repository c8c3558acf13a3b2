// The worker that owns the wasm core of the build `full`: a shared memory, and a pool that other workers lend their threads.
// `loadModel` starts it.

import init, { createEngine, lastPanic, poolVacancies } from "../wasm/full/rushlight.js";
import type { Reply } from "./protocol.js";
import { compile, reserveMemory, type SharedCore } from "./shared-core.js";
import { serve } from "./serve.js";
import { Threads } from "./threads.js";

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
  async lendThreads(count, fallback) {
    if (count === 0 || shared === undefined) return;
    const failed = await askPage(count, shared);
    if (failed > 0 && fallback === "worker") await new Threads().start(failed, shared);
  },
});

/** Has the page start threads; how many it could not start. */
async function askPage(count: number, core: SharedCore): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  const failed = new Promise<MessageEvent<number>>((resolve) => (port1.onmessage = resolve));
  globalThis.postMessage({ type: "lend", wanted: { count, shared: core, port: port2 } } satisfies Reply, { transfer: [port2] });
  return (await failed).data;
}
