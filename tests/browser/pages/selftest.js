// The page's side of the selftest build: calls go to its worker, since a page itself may not wait for threads.
const worker = new Worker(`selftest_worker.js${location.search}`, { type: "module" });
const waiting = new Map();
let calls = 0;

worker.onmessage = ({ data: { id, value, error, progress, lend, shared } }) => {
  for (let started = 0; started < (lend ?? 0); started++) {
    // Started here and not by the worker: src/threads.ts of the package says why.
    const thread = new Worker("selftest_pool.js", { type: "module" });
    thread.onerror = (event) => console.error(`a thread of the selftest: ${event.message}`);
    thread.postMessage(shared);
  }
  if (lend !== undefined) return;
  if (progress !== undefined) {
    globalThis.progress = progress;
    return;
  }
  if (id === "ready") {
    globalThis.selftest = Object.fromEntries(value.map((name) => [name, (argument) => call(name, argument)]));
    return;
  }
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error === undefined) resolve(value);
  else reject(new Error(error));
};
// After a trap no promise of the worker is kept: who waits for one looks here too.
worker.onerror = (event) => {
  globalThis.trap = `the selftest worker: ${event.message}`;
  console.error(globalThis.trap);
};

function call(name, argument) {
  const id = ++calls;
  worker.postMessage({ id, name, argument });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}
