// What a plain read of memory reaches in wasm: workers that share a memory, each with its part of it.

/** Bytes that are read: well over the last-level cache. A whole page of wasm (64 KiB) for each of up to 64 workers. */
const BYTES = 768 * 1024 * 1024;
const PAGE = 65536;

/** Bytes a second, pass by pass, after one that is not timed. */
globalThis.measureMemory = async ({ threads, runs }) => {
  const pages = BYTES / PAGE;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const share = Math.ceil(pages / threads) * PAGE;
  const workers = Array.from({ length: threads }, (_, index) => new Reader(memory, index * share, Math.min(BYTES, (index + 1) * share)));
  const passes = [];
  for (let run = 0; run <= runs; run++) {
    const times = await Promise.all(workers.map((worker) => worker.pass()));
    const seconds = (Math.max(...times.map((time) => time.end)) - Math.min(...times.map((time) => time.start))) / 1e3;
    passes.push(BYTES / seconds);
  }
  workers.forEach((worker) => worker.end());
  return { bytesPerSecond: passes.slice(1) };
};

/** A worker that reads its part each time it is asked to. */
class Reader {
  #worker = new Worker("memory_worker.js", { type: "module" });

  constructor(memory, from, to) {
    this.#worker.postMessage({ memory, from, to });
  }

  pass() {
    return new Promise((done, fail) => {
      this.#worker.onmessage = ({ data }) => done(data);
      this.#worker.onerror = (event) => fail(new Error(event.message));
      this.#worker.postMessage("pass");
    });
  }

  end() {
    this.#worker.terminate();
  }
}
globalThis.ready = true;
