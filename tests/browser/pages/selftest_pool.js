// A thread for the selftest build's pool, as pkg/src/pool-worker.ts is one for the package's.
import { abandonPool, initSync, joinPool } from "/pkg/wasm-selftest/full/rushlight.js";

globalThis.onmessage = ({ data }) => {
  initSync(data);
  try {
    joinPool(() => globalThis.postMessage(null));
  } catch (error) {
    abandonPool();
    // Said, not thrown: what Chromium reports of an uncaught error in a worker of a worker sometimes has no message.
    console.error(`a thread of the selftest: ${error}`);
  }
};
