// The workers that lend their threads to a pool. The page starts them for the engine's worker: in Firefox with its developer tools or
// a driver attached, a worker that starts another one waits until the debugger has it, and sometimes misses being told: it then hangs
// for ever. Only where the page does not find their file, and its own code started the engine's worker (`LoadOptions.worker`), does
// that worker try, since it may be from elsewhere.

import type { SharedCore } from "./shared-core.js";

/** A worker that has no place after this time is not waited for. It may still come: the pool goes on without it. */
const PATIENCE_MS = 10_000;

/** What an engine's worker asks the page for. */
export interface ThreadsWanted {
  readonly count: number;
  /** What they enter. */
  readonly shared: SharedCore;
  /** Hears how many could not start, when every other one has a place. */
  readonly port: MessagePort;
}

/** The threads of one engine. */
export class Threads {
  #workers: Worker[] | undefined = [];

  /** Starts them for another worker. */
  lend({ count, shared, port }: ThreadsWanted): void {
    void this.start(count, shared).then((failed) => {
      port.postMessage(failed);
      port.close();
    });
  }

  /** Starts them, unless the engine has ended; waits until each has a place or cannot have one. Gives how many could not start. */
  async start(count: number, shared: SharedCore): Promise<number> {
    const started = await Promise.all(Array.from({ length: count }, () => this.#startOne(shared)));
    return started.filter((one) => !one).length;
  }

  /** Ends them all. */
  end(): void {
    for (const worker of this.#workers ?? []) worker.terminate();
    this.#workers = undefined;
  }

  #startOne(shared: SharedCore): Promise<boolean> {
    return new Promise((resolve) => {
      if (this.#workers === undefined) {
        resolve(true);
        return;
      }
      setTimeout(resolve, PATIENCE_MS, true);
      try {
        const worker = new Worker(new URL("./pool-worker.js", import.meta.url), { type: "module", name: "rushlight-pool" });
        this.#workers.push(worker);
        worker.onmessage = () => {
          resolve(true);
        };
        // Later as well: what a trap there means is said by the trap of whoever waited for it.
        worker.onerror = (event) => {
          event.preventDefault();
          resolve(false);
        };
        worker.postMessage(shared);
      } catch {
        // Fewer threads, which `model.info` says.
        resolve(false);
      }
    });
  }
}
