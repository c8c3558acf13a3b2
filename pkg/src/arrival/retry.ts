// When to ask a server again, and after how long.

import { abortError, RushlightError } from "../errors.js";

/** How patient a download is. Tests are less so. */
export interface Patience {
  /** Failures in a row, without a byte in between, after which it gives up. */
  readonly tries: number;
  /** The same while the server has never been reached: the address may be wrong, or closed to this page. */
  readonly contactTries: number;
  /** The first wait, in milliseconds; it doubles with each failure in a row. */
  readonly firstWaitMs: number;
  /** The longest wait of our own choosing, in milliseconds. */
  readonly longestWaitMs: number;
  /** The longest wait that a server may ask for with Retry-After, in milliseconds. */
  readonly longestAskedMs: number;
  /** Silence after which a connection counts as broken, in milliseconds. */
  readonly silenceMs: number;
  /** How long a stored file waits to hear whether it is still current, in milliseconds. */
  readonly revalidateMs: number;
  /** How often it looks how far another tab is that fetches the same file, in milliseconds. */
  readonly waitingMs: number;
}

/** What a visitor gets. */
export const PATIENCE: Patience = {
  tries: 6,
  contactTries: 3,
  firstWaitMs: 250,
  longestWaitMs: 8_000,
  longestAskedMs: 60_000,
  silenceMs: 30_000,
  revalidateMs: 4_000,
  waitingMs: 250,
};

/** Answers after which a server may well answer otherwise. */
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

/** A failure that may pass. `error` is what is thrown when it does not. */
export class Passing extends Error {
  readonly error: RushlightError;
  /** Milliseconds that the server asks us to wait. */
  readonly afterMs: number | undefined;
  /** Whether the answer was about another version of the file than the one that is being fetched. */
  readonly otherVersion: boolean;

  constructor(error: RushlightError, options: { readonly afterMs?: number | undefined; readonly otherVersion?: boolean } = {}) {
    super(error.message);
    this.error = error;
    this.afterMs = options.afterMs;
    this.otherVersion = options.otherVersion ?? false;
  }
}

/** A connection that failed. */
export function broken(what: string, cause: unknown): Passing {
  const said = cause instanceof Error ? `: ${cause.message}` : "";
  return new Passing(new RushlightError("ERR_NETWORK", `${what} failed${said}`, { cause }));
}

/** What people see of a failure that did not pass. */
export function plain(error: unknown): unknown {
  return error instanceof Passing ? error.error : error;
}

/** What an answer without a body that can be used is thrown as. */
export function refusal(url: string, response: Response, now: number): Passing | RushlightError {
  const { status, statusText } = response;
  const error = new RushlightError("ERR_NETWORK", `${url}: the server answered ${status} ${statusText}`.trimEnd(), { status });
  return PASSING.has(status) ? new Passing(error, { afterMs: retryAfter(response.headers.get("retry-after"), now) }) : error;
}

/** Milliseconds that a Retry-After header asks for: it says seconds or a date. */
export function retryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Milliseconds to wait after so many failures in a row: half of it by chance, so that clients do not come back all at once. */
export function backoff(failures: number, patience: Patience, random: () => number): number {
  const most = Math.min(patience.firstWaitMs * 2 ** (failures - 1), patience.longestWaitMs);
  return most * (0.5 + 0.5 * random());
}

/** Waits, unless the signal is aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(abortError(signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}

/** Counts the failures of one connection, and makes it wait. All connections to a server share `hold`. */
export class Retries {
  readonly #patience: Patience;
  readonly #random: () => number;
  readonly #hold: Hold;
  #failures = 0;
  #otherVersions = 0;

  constructor(patience: Patience, random: () => number, hold: Hold) {
    this.#patience = patience;
    this.#random = random;
    this.#hold = hold;
  }

  /** Something arrived. */
  progress(): void {
    this.#failures = 0;
  }

  /** Waits after a failure that may pass; throws what cannot, and what has not passed for too long. */
  async after(thrown: unknown, reached: boolean, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw abortError(signal);
    if (!(thrown instanceof Passing)) throw thrown;
    // That another version came by mistake is unlikely enough to be believed soon.
    if (thrown.otherVersion && ++this.#otherVersions > 2) throw thrown;
    this.#failures++;
    const { tries, contactTries, longestAskedMs } = this.#patience;
    const asked = thrown.error.status !== undefined;
    if (this.#failures >= (reached || asked ? tries : contactTries)) throw thrown;
    if (thrown.afterMs !== undefined) {
      if (thrown.afterMs > longestAskedMs) throw thrown;
      this.#hold.until = Math.max(this.#hold.until, Date.now() + thrown.afterMs);
    }
    await sleep(backoff(this.#failures, this.#patience, this.#random), signal);
    await heed(this.#hold, signal);
  }
}

/** Asks again while a failure may pass. */
export async function retried<T>(
  work: () => Promise<T>,
  retries: Retries,
  remote: { readonly reached: boolean },
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      await retries.after(error, remote.reached, signal);
    }
  }
}

/** Until when a server wants to be left alone, in milliseconds since the epoch. */
export interface Hold {
  until: number;
}

/** Waits until the server may be asked. */
export async function heed(hold: Hold, signal: AbortSignal): Promise<void> {
  for (let left = hold.until - Date.now(); left > 0; left = hold.until - Date.now()) await sleep(left, signal);
}
