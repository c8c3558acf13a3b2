// The workers that lend their threads to a pool, started by the page for the engine's worker. That worker could start them itself,
// but in Firefox with its developer tools or a driver attached a worker that starts another one waits until the debugger has it,
// and sometimes misses being told: it then hangs for ever.

import type { SharedCore } from "./shared-core.js";

/** A worker that has no place after this time counts as failed. It may still come: the pool goes on without it. */
const PATIENCE_MS = 10_000;

/** What an engine's worker asks the page for. */
export interface ThreadsWanted {
  readonly count: number;
  /** What they enter. */
  readonly shared: SharedCore;
  /** Hears when each has a place or cannot have one. */
  readonly port: MessagePort;
}

/** The threads of one engine. */
export class Threads {
  #workers: Worker[] | undefined = [];

  /** Starts them, unless the engine has ended. */
  lend({ count, shared, port }: ThreadsWanted): void {
    void Promise.all(Array.from({ length: count }, () => this.#start(shared))).then(() => {
      port.postMessage(null);
      port.close();
    });
  }

  /** Ends them all. */
  end(): void {
    for (const worker of this.#workers ?? []) worker.terminate();
    this.#workers = undefined;
  }

  /** Starts a worker, and waits until it has a place in the pool or cannot have one. */
  #start(shared: SharedCore): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        resolve();
      };
      if (this.#workers === undefined) {
        done();
        return;
      }
      setTimeout(done, PATIENCE_MS);
      try {
        const worker = new Worker(new URL("./pool-worker.js", import.meta.url), { type: "module", name: "rushlight-pool" });
        this.#workers.push(worker);
        worker.onmessage = done;
        // Later as well: what a trap there means is said by the trap of whoever waited for it.
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
}
