// Who may touch a stored file: one writer or several readers, over all tabs of the origin.

/** Gives a lock back. */
export type Release = () => void;

/** How to lock. */
export interface LockOptions {
  readonly mode: "exclusive" | "shared";
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
  /** Do not wait: `undefined` at once where somebody else has it. */
  readonly now?: boolean;
}

/** Locks by name. */
export interface Locks {
  acquire(name: string, options: LockOptions): Promise<Release | undefined>;
}

/** The browser's locks; they end with the tab or worker that has them. `undefined` where there are none. */
export function webLocks(): Locks | undefined {
  const locks = (globalThis.navigator as { readonly locks?: LockManager } | undefined)?.locks;
  if (locks === undefined) return undefined;
  return {
    acquire: (name, { mode, signal, now = false }) =>
      new Promise((resolve, reject) => {
        // The browser takes no signal together with `ifAvailable`.
        const options: LockOptionsOfTheWeb = now || signal === undefined ? { mode, ifAvailable: now } : { mode, signal };
        const held = locks.request(name, options, (lock) => {
          if (lock === null) {
            resolve(undefined);
            return;
          }
          return new Promise<void>((release) => {
            resolve(release);
          });
        });
        held.catch(reject);
      }),
  };
}

interface LockOptionsOfTheWeb {
  mode: LockMode;
  ifAvailable?: boolean;
  signal?: AbortSignal;
}
