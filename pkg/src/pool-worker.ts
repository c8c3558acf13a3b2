// A thread for the pool of `worker-full.ts`: takes a place in it and stays there, so that it never hears another message.

import { abandonPool, initSync, joinPool } from "../wasm/full/rushlight.js";
import type { SharedCore } from "./shared-core.js";

globalThis.onmessage = ({ data }: MessageEvent<SharedCore>) => {
  initSync(data);
  try {
    joinPool(() => {
      globalThis.postMessage(null);
    });
  } catch (error) {
    // A trap: nobody must wait for this thread.
    abandonPool();
    throw error;
  }
};
