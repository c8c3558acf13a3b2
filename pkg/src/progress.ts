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

/** Counts the bytes of a load, and says so from time to time. What it says never goes back. */
export class Progress {
  readonly #post: (progress: LoadProgress) => void;
  #weights: Pick<Incoming, "total" | "cached"> | undefined;
  #prefix: Prefix | undefined;
  #loaded = 0;
  #whole = false;
  /** The most that was said. */
  #most = 0;
  #posted = -Infinity;

  constructor(post: (progress: LoadProgress) => void) {
    this.#post = post;
  }

  /** The weights begin to arrive. */
  begin(weights: Pick<Incoming, "total" | "cached">): void {
    this.#weights = weights;
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

  /** All of the weights were taken in. */
  end(): void {
    this.#whole = true;
    this.post();
  }

  /** Another tab fetches a file of the weights, and has so many bytes of it. */
  waiting(stored: number, total: number | undefined): void {
    this.#say(this.#loaded + stored, this.#weights === undefined ? total : this.#total(), { waiting: true });
  }

  /** Fetches the file of a prefix, and counts it too. */
  async readPrefix(source: FileSource, request: LoadRequest, signal: AbortSignal): Promise<Uint8Array> {
    const prefix: Prefix = { file: undefined, loaded: 0, whole: false };
    this.#prefix = prefix;
    // One connection: the weights have theirs.
    const file = await openSmall(source, { ...request, arrival: { ...request.arrival, connections: 1 } }, signal, undefined, "prefix");
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
    this.#say(this.#loaded + (this.#prefix?.loaded ?? 0), this.#total());
  }

  #say(loaded: number, total: number | undefined, waiting: Pick<LoadProgress, "waiting"> = {}): void {
    this.#posted = performance.now();
    this.#most = Math.max(this.#most, loaded);
    const cached = (this.#weights?.cached() ?? 0) + (this.#prefix?.file?.cached() ?? 0);
    // A total that is exceeded was none.
    this.#post({ loaded: this.#most, cached, total: total !== undefined && this.#most > total ? undefined : total, ...waiting });
  }

  #total(): number | undefined {
    const total = this.#whole ? this.#loaded : this.#weights?.total;
    if (this.#prefix === undefined) return total;
    const { file, whole, loaded } = this.#prefix;
    const prefix = whole ? loaded : (file?.fileBytes ?? file?.expected);
    return total === undefined || prefix === undefined ? undefined : total + prefix;
  }

  #tell(): void {
    if (performance.now() - this.#posted >= INTERVAL_MS) this.post();
  }
}
