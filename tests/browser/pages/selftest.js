// The page's side of the selftest build: calls go to its worker, since a page itself may not wait for threads.
const worker = new Worker(`selftest_worker.js${location.search}`, { type: "module" });
const waiting = new Map();
let calls = 0;

worker.onmessage = ({ data: { id, value, error, progress } }) => {
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
worker.onerror = (event) => console.error(`the selftest worker: ${event.message}`);

function call(name, argument) {
  const id = ++calls;
  worker.postMessage({ id, name, argument });
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}
