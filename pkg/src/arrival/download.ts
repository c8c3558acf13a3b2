// The chunks of one file over several connections. They may arrive in any order; whoever takes them gets them in order, and the
// connections wait when they are too far ahead, so that memory is bounded.

import { abortError, RushlightError } from "../errors.js";
import { readBody } from "./body.js";
import { agree, type Answer, type Remote, type Version } from "./remote.js";
import { type Hold, heed, Passing, type Patience, Retries } from "./retry.js";
import type { Bytes } from "./sha256.js";

/** How often a chunk may arrive damaged. */
const MOST_DAMAGED = 3;

/** Where a file is cut. */
export interface Layout {
  /** Bytes that are checked and stored at a time. */
  readonly chunkBytes: number;
  /** Bytes that are asked for at a time: as many whole chunks, but at least one. */
  readonly segmentBytes: number;
  /** Bytes of the file; unknown until its end where the server does not say. */
  total: number | undefined;
}

/** What a download needs to know, and whom it tells. */
export interface Job {
  readonly remote: Remote;
  readonly layout: Layout;
  /** What every answer has to agree with. */
  readonly version: Version;
  readonly connections: number;
  readonly patience: Patience;
  readonly random: () => number;
  readonly hold: Hold;
  /** Whether a chunk need not be fetched. */
  readonly has: (chunk: number) => boolean;
  /** Checks a chunk that has arrived and keeps it; `false` where it is damaged. */
  readonly accept: (chunk: number, bytes: Bytes) => Promise<boolean>;
  readonly signal: AbortSignal;
}

/** Chunks that one request asks for, and how far it is. */
interface Segment {
  /** The chunk that arrives. */
  chunk: number;
  /** The first chunk that it does not have. */
  readonly end: number;
  /** Whether it is all that is left of a file that only comes as a whole: there is one such segment at a time. */
  readonly whole: boolean;
  /** What has arrived of the chunk. */
  buffer: Bytes | undefined;
  filled: number;
}

/** Chunks that are asked for at a time. */
export function segmentChunks({ chunkBytes, segmentBytes }: Layout): number {
  return Math.max(1, Math.floor(segmentBytes / chunkBytes));
}

/** Fetches what is missing of a file. */
export class Download {
  readonly #job: Job;
  readonly #controller = new AbortController();
  /** The memory of chunks that nobody needs any more, for those that come: fresh memory is slow. */
  readonly #spare: Bytes[] = [];
  /** The chunk that was taken last. */
  #lent: Bytes | undefined;
  /** Chunks that wait for being taken. */
  readonly #arrived = new Map<number, Bytes>();
  /** Chunks that a connection has asked for. */
  readonly #claimed = new Set<number>();
  /** Whether a connection has the whole file. */
  #streaming = false;
  /** How often a chunk was damaged. */
  readonly #damaged = new Map<number, number>();
  readonly #running: Promise<void>[] = [];
  readonly #forget: () => void;
  /** The chunk that is wanted next: those before it are not needed any more. */
  #next: number;
  #failure: { readonly error: unknown } | undefined;
  #sleepers: (() => void)[] = [];

  /** Begins. `first` is an answer that is there already, to a request for the first missing chunks or for the whole file. */
  constructor(job: Job, from: number, first: Answer | undefined) {
    this.#job = job;
    this.#next = from;
    const { signal } = job;
    const abort = (): void => {
      this.#fail(abortError(signal));
    };
    this.#forget = () => {
      signal.removeEventListener("abort", abort);
    };
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const connections = job.remote.whole ? 1 : job.connections;
    for (let index = 0; index < connections; index++) {
      const connection = this.#connect(index === 0 ? first : undefined).catch((error: unknown) => {
        this.#fail(error);
      });
      this.#running.push(connection);
    }
  }

  /** Says which chunk is wanted next; those before it need not be fetched. */
  want(chunk: number): void {
    this.#next = chunk;
    this.#notify();
  }

  /**
   * Waits for the chunk that is wanted, and wants the one after it; `undefined` where the file has ended. A chunk is lent until the
   * next one is taken.
   */
  async take(): Promise<Bytes | undefined> {
    if (this.#lent?.length === this.#job.layout.chunkBytes) this.#spare.push(this.#lent);
    this.#lent = undefined;
    const chunk = this.#next;
    // It may have been thought to be in the store until now.
    this.#notify();
    for (;;) {
      // What has arrived is good, whatever happened to the rest.
      const bytes = this.#arrived.get(chunk);
      if (bytes !== undefined) {
        this.#arrived.delete(chunk);
        this.want(chunk + 1);
        this.#lent = bytes;
        return bytes;
      }
      if (this.#failure !== undefined) throw this.#failure.error;
      if (chunk >= this.#count) return undefined;
      await this.#change();
    }
  }

  /** Ends all connections, and waits until nothing of them is going on. */
  async close(): Promise<void> {
    this.#forget();
    this.#fail(abortError());
    await Promise.all(this.#running);
    this.#arrived.clear();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#controller.abort();
    this.#notify();
  }

  #notify(): void {
    for (const wake of this.#sleepers.splice(0)) wake();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#sleepers.push(resolve));
  }

  /** Chunks that may wait for being taken or be on their way: it bounds the memory. */
  get #most(): number {
    return segmentChunks(this.#job.layout) * this.#job.connections * 2;
  }

  /** Number of chunks. */
  get #count(): number {
    const { chunkBytes, total } = this.#job.layout;
    return total === undefined ? Infinity : Math.ceil(total / chunkBytes);
  }

  #lengthOf(chunk: number): number {
    const { chunkBytes, total } = this.#job.layout;
    return total === undefined ? chunkBytes : Math.min(chunkBytes, total - chunk * chunkBytes);
  }

  /** Memory for a chunk. */
  #room(length: number): Bytes {
    return (length === this.#job.layout.chunkBytes ? this.#spare.pop() : undefined) ?? new Uint8Array(length);
  }

  /** Whether a chunk is neither here nor there. */
  #missing(chunk: number): boolean {
    return chunk >= this.#next && !this.#arrived.has(chunk) && !this.#job.has(chunk);
  }

  /** Waits until there is something to ask for, and room for it; `undefined` when the download has ended. */
  async #claim(): Promise<Segment | undefined> {
    while (this.#failure === undefined) {
      const segment = this.#segment();
      if (segment?.whole === true && !this.#streaming) {
        this.#streaming = true;
        return segment;
      }
      if (segment?.whole === false && this.#hasRoom(segment)) {
        for (let index = segment.chunk; index < segment.end; index++) this.#claimed.add(index);
        return segment;
      }
      await this.#change();
    }
    return undefined;
  }

  #hasRoom({ chunk, end }: Segment): boolean {
    // What is wanted now is always asked for: it may have been thought to be there.
    return chunk === this.#next || this.#claimed.size + this.#arrived.size + end - chunk <= this.#most;
  }

  #unclaimed(chunk: number): boolean {
    return !this.#claimed.has(chunk) && this.#missing(chunk);
  }

  /** The first missing chunks, not too many; or everything from there on, where the server can't do less. */
  #segment(): Segment | undefined {
    let chunk = this.#next;
    while (chunk < this.#count && !this.#unclaimed(chunk)) chunk++;
    if (chunk >= this.#count) return undefined;
    const { whole } = this.#job.remote;
    let end = whole ? this.#count : chunk + 1;
    const most = Math.min(this.#count, chunk + segmentChunks(this.#job.layout));
    while (end < most && this.#unclaimed(end)) end++;
    return { chunk, end, whole, buffer: undefined, filled: 0 };
  }

  /** One connection, until the download ends. */
  async #connect(first: Answer | undefined): Promise<void> {
    let answer = first;
    for (;;) {
      const segment = await this.#claim();
      if (segment === undefined) break;
      try {
        await this.#fetch(segment, answer);
      } finally {
        answer = undefined;
        // What did not arrive may be asked for again.
        if (segment.whole) this.#streaming = false;
        else for (let index = segment.chunk; index < segment.end; index++) this.#claimed.delete(index);
        this.#notify();
      }
    }
    void answer?.body.cancel().catch(() => undefined);
  }

  /** Asks until a segment is there. */
  async #fetch(segment: Segment, first: Answer | undefined): Promise<void> {
    const { remote, layout, patience, random, hold, version } = this.#job;
    const { signal } = this.#controller;
    const retries = new Retries(patience, random, hold);
    const position = (): number => segment.chunk * layout.chunkBytes + segment.filled;
    let answer = first;
    // The answer that is there was to a question of before it was known what is missing.
    if (answer !== undefined && !covers(answer, position(), layout.segmentBytes)) {
      void answer.body.cancel().catch(() => undefined);
      answer = undefined;
    }
    for (; ; answer = undefined) {
      const before = position();
      try {
        await heed(hold, signal);
        const end = Math.min(segment.end * layout.chunkBytes, layout.total ?? Infinity);
        answer ??= await remote.get(before, end, signal);
        if (!agree(answer.version, version)) {
          void answer.body.cancel().catch(() => undefined);
          throw remote.changed();
        }
        await this.#read(answer, segment, before - answer.start);
        return;
      } catch (error) {
        if (segment.chunk >= segment.end) {
          // All of it is there, whatever becomes of the connection, unless more came than there is.
          if (error instanceof Passing && error.otherVersion) throw error;
          return;
        }
        if (position() > before) retries.progress();
        await retries.after(error, remote.reached, signal);
      }
    }
  }

  /** Takes what a segment needs from an answer, after so many bytes that it has already. */
  async #read(answer: Answer, segment: Segment, skip: number): Promise<void> {
    const { layout, remote, patience } = this.#job;
    const { most = Infinity } = answer;
    let received = 0;
    for await (let piece of readBody(answer.body, `fetching ${remote.url}`, this.#controller.signal, patience.silenceMs)) {
      received += piece.length;
      if (received > most) throw remote.overfull(most);
      const skipped = Math.min(skip, piece.length);
      skip -= skipped;
      piece = piece.subarray(skipped);
      while (piece.length > 0 && segment.chunk < segment.end) {
        segment.buffer ??= this.#room(this.#lengthOf(segment.chunk));
        const part = piece.subarray(0, segment.buffer.length - segment.filled);
        segment.buffer.set(part, segment.filled);
        segment.filled += part.length;
        piece = piece.subarray(part.length);
        if (segment.filled === segment.buffer.length && !(await this.#complete(segment, segment.buffer))) return;
      }
      // A part that should be over by now has to show that it is.
      if (segment.chunk >= segment.end && received < most) return;
    }
    if (segment.chunk >= segment.end) return;
    if (layout.total === undefined) {
      await this.#end(segment);
    } else {
      const at = segment.chunk * layout.chunkBytes + segment.filled;
      const message = `${remote.url}: the connection ended after ${at} of ${layout.total} bytes`;
      throw new Passing(new RushlightError("ERR_NETWORK", message));
    }
  }

  /** The end of a file whose length nobody had said. */
  async #end(segment: Segment): Promise<void> {
    const { layout } = this.#job;
    const total = segment.chunk * layout.chunkBytes + segment.filled;
    if (segment.buffer !== undefined) await this.#complete(segment, segment.buffer.slice(0, segment.filled));
    layout.total = total;
    this.#notify();
  }

  /**
   * A chunk is there: it is checked, and waits for being taken. `false` where the stream can't serve what is wanted any more,
   * which only happens to whole files: it lies before what comes now.
   */
  async #complete(segment: Segment, bytes: Bytes): Promise<boolean> {
    const { chunk } = segment;
    while (chunk !== this.#next && this.#arrived.size >= this.#most) {
      if (this.#failure !== undefined || this.#missing(this.#next)) return false;
      await this.#change();
    }
    // What comes along with a whole file may be there already.
    if (this.#missing(chunk)) {
      if (await this.#job.accept(chunk, bytes)) this.#arrived.set(chunk, bytes);
      else this.#countDamage(chunk, bytes.length);
    }
    segment.buffer = undefined;
    segment.filled = 0;
    segment.chunk++;
    this.#claimed.delete(chunk);
    this.#notify();
    return true;
  }

  #countDamage(chunk: number, length: number): void {
    const times = (this.#damaged.get(chunk) ?? 0) + 1;
    this.#damaged.set(chunk, times);
    if (times < MOST_DAMAGED) return;
    const at = chunk * this.#job.layout.chunkBytes;
    const message =
      `${this.#job.remote.url}: bytes ${at} to ${at + length - 1} arrived ${times} times with another SHA-256 than expected: ` +
      "the file on the server is damaged, or not the one that was meant";
    throw new RushlightError("ERR_HASH", message);
  }
}

/** Whether an answer has the byte at a position, and not too many before it. */
function covers({ start, ranged }: Answer, position: number, most: number): boolean {
  return start <= position && (!ranged || position < start + most);
}
