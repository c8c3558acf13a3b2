// How far a load is: its weights, and the file of a prefix that arrives beside them.

import type { FileSource, LoadRequest } from "./protocol.js";
import { collect, type Incoming, type IncomingFile, openSmall } from "./source.js";
import type { LoadProgress } from "./types.js";

/** Progress is for eyes: this often is enough. */
const INTERVAL_MS = 100;

/** What is known of the file of a prefix. */
interface Prefix {
  file: IncomingFile | undefined;
  loaded: number;
  whole: boolean;
}

/** Counts the bytes of a load, and says so from time to time. */
export class Progress {
  readonly #weights: Incoming;
  readonly #post: (progress: LoadProgress) => void;
  #prefix: Prefix | undefined;
  #loaded = 0;
  #posted = -Infinity;

  constructor(weights: Incoming, post: (progress: LoadProgress) => void) {
    this.#weights = weights;
    this.#post = post;
  }

  /** Bytes of the weights that have been taken in. */
  get loaded(): number {
    return this.#loaded;
  }

  /** So many bytes of the weights were taken in. */
  add(bytes: number): void {
    this.#loaded += bytes;
    this.#tell();
  }

  /** Fetches the file of a prefix, and counts it too. */
  async readPrefix(source: FileSource, request: LoadRequest, signal: AbortSignal): Promise<Uint8Array> {
    const prefix: Prefix = { file: undefined, loaded: 0, whole: false };
    this.#prefix = prefix;
    // One connection: the weights have theirs.
    const file = await openSmall(source, { ...request, arrival: { ...request.arrival, connections: 1 } }, signal);
    prefix.file = file;
    const bytes = await collect(file, (count) => {
      prefix.loaded += count;
      this.#tell();
    });
    prefix.whole = true;
    return bytes;
  }

  /** Says how far it is now. */
  post(): void {
    this.#posted = performance.now();
    const prefix = this.#prefix;
    this.#post({
      loaded: this.#loaded + (prefix?.loaded ?? 0),
      cached: this.#weights.cached() + (prefix?.file?.cached() ?? 0),
      total: this.#total(),
    });
  }

  #total(): number | undefined {
    const { total } = this.#weights;
    if (this.#prefix === undefined) return total;
    const { file, whole, loaded } = this.#prefix;
    const prefix = file?.fileBytes ?? (whole ? loaded : undefined);
    return total === undefined || prefix === undefined ? undefined : total + prefix;
  }

  #tell(): void {
    if (performance.now() - this.#posted >= INTERVAL_MS) this.post();
  }
}
