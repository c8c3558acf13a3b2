// A thread for the selftest build's pool.
import { initSync, joinPool } from "/pkg/wasm-selftest/full/rushlight.js";

globalThis.onmessage = ({ data }) => {
  initSync(data);
  joinPool(() => globalThis.postMessage(null));
};
