// One file from an address: out of the store as far as it is there, else from the network and into the store. What is handed on is
// in order, and is what the server has or what its hashes say, or there is an error.

import { abortError, messageOf, RushlightError } from "../errors.js";
import { type Entry, storedBytes } from "../store/journal.js";
import { storageError } from "../store/failure.js";
import type { Store } from "../store/store.js";
import type { StoredReader, StoredWriter } from "../store/stored.js";
import { isBegunOf, isCurrent, versionOf } from "./current.js";
import { Download, type Layout, segmentChunks } from "./download.js";
import type { Manifest } from "./manifest.js";
import { findManifest, manifestBeside, readText } from "./manifest_file.js";
import { agree, type Answer, type Fetch, Remote, type Version } from "./remote.js";
import { type Hold, Passing, type Patience, plain, Retries, retried } from "./retry.js";
import { type Bytes, Sha256, sha256 } from "./sha256.js";

/** Stored chunks that are read at a time. */
const READ_AHEAD = 4;

/** How a file is to arrive. */
export interface Wanted {
  /** SHA-256 of the whole file. */
  readonly sha256: string | null;
  /** Address of a manifest; `auto` looks for one beside the file. */
  readonly manifest: string | null;
  readonly connections: number;
  /** What the model's other files are stored under: they are not removed to make room for this one. */
  readonly siblings: readonly string[];
  /** What the file is stored under; its address where left out. */
  readonly key?: string | undefined;
  /** Hears why the file is not kept. Where it is left out, that it can't be kept is an error. */
  readonly onUnkept?: ((reason: string) => void) | undefined;
  /** Hears how far another tab is that fetches the same file, while this one waits for it: bytes, and those of the file. */
  readonly onWaiting?: ((stored: number, total: number | undefined) => void) | undefined;
}

/** What files come from and go to: the tests bring their own. */
export interface World {
  readonly fetch: Fetch;
  /** Where files are kept; `undefined` keeps none. */
  readonly store: Store | undefined;
  /** Why there is no store, a sentence for people. */
  readonly unkept?: string | undefined;
  readonly patience: Patience;
  readonly random: () => number;
  /** Bytes that are checked and stored at a time, where no manifest says so. */
  readonly chunkBytes: number;
  readonly segmentBytes: number;
}

/** A file that is arriving. */
export interface Arrival {
  /** Bytes of the file, where known. */
  readonly total: number | undefined;
  /** What the server announces where that is not certain: for the eyes. */
  readonly expected?: number | undefined;
  readonly chunks: AsyncGenerator<Bytes, void, undefined>;
  /** Bytes that came out of the store so far. */
  readonly cached: () => number;
  /** Removes the file from the store, once its chunks were read: it is no model, or was cut. Not where hashes say that it is right. */
  readonly discard: () => Promise<void>;
}

/** Opens a file. Its chunks have to be read to their end, or the loop over them left: until then the file is locked. */
export async function arrive(url: string, wanted: Wanted, world: World, signal: AbortSignal): Promise<Arrival> {
  return await new Arriving(url, wanted, world, signal).open();
}

/** Bytes of a file, for the eyes, where that can be found out without fetching it. Fails where the server says that there is none. */
export async function lengthOf(url: string, world: World, signal: AbortSignal, key = url): Promise<number | undefined> {
  const { patience, random } = world;
  const entry = await world.store?.lookup(key);
  if (entry?.complete === true) return entry.bytes ?? undefined;
  const remote = new Remote(url, world.fetch, patience.silenceMs);
  try {
    const retries = new Retries(patience, random, { until: 0 });
    const { total, announced } = await retried(() => remote.peek(signal), retries, remote, signal);
    return total ?? announced;
  } catch (error) {
    const cause = plain(error);
    if (cause instanceof RushlightError && cause.code === "ERR_NETWORK" && cause.status === undefined) return undefined;
    throw cause;
  }
}

/** What a download begins with. */
interface Beginning {
  readonly layout: Layout;
  readonly version: Version;
  readonly first: Answer | undefined;
}

class Arriving {
  readonly #url: string;
  readonly #key: string;
  readonly #wanted: Wanted;
  readonly #world: World;
  readonly #signal: AbortSignal;
  readonly #remote: Remote;
  readonly #hold: Hold = { until: 0 };
  /** Where the file is kept, unless that has failed. */
  #store: Store | undefined;
  #manifest: Manifest | undefined;
  #writer: StoredWriter | undefined;
  #release: (() => void) | undefined;
  #cached = 0;
  /** Whether what is stored was found to be right by a hash of the whole, or by hashes of its chunks. */
  #verified = false;

  constructor(url: string, wanted: Wanted, world: World, signal: AbortSignal) {
    this.#url = url;
    this.#key = wanted.key ?? url;
    this.#store = world.store;
    this.#wanted = wanted;
    this.#world = world;
    this.#signal = signal;
    this.#remote = new Remote(url, world.fetch, world.patience.silenceMs);
  }

  async open(): Promise<Arrival> {
    const common = { cached: () => this.#cached, discard: () => this.#discard() };
    try {
      const stored = await this.#openStored();
      if (stored !== undefined) {
        const { entry, reader } = stored;
        return { total: entry.bytes ?? undefined, chunks: this.#deliverStored(entry, reader), ...common };
      }
      const beginning = await this.#begin();
      const { layout, version } = beginning;
      return { total: layout.total, expected: version.announced, chunks: this.#deliver(beginning, 0), ...common };
    } catch (error) {
      this.#close();
      throw this.#signal.aborted ? abortError(this.#signal) : plain(error);
    }
  }

  /** The file from the store, where all of it is there and nobody says that it has changed. */
  async #openStored(): Promise<{ entry: Entry; reader: StoredReader } | undefined> {
    const entry = await this.#locked("shared");
    if (entry?.complete === true && this.#trusts(entry) && (await this.#isCurrent(entry))) {
      const reader = await this.#storing((store) => store.read(entry));
      if (reader !== undefined) return { entry, reader };
    }
    this.#close();
    return undefined;
  }

  /** Locks the stored file, and gives what is known of it. */
  async #locked(mode: "shared" | "exclusive"): Promise<Entry | undefined> {
    return await this.#storing(async (store) => {
      this.#release = await this.#waiting(store, () => store.lock(this.#key, { mode, signal: this.#signal }));
      return await store.lookup(this.#key);
    });
  }

  /** Says how far another tab is, while that has the lock. */
  async #waiting<T>(store: Store, lock: () => Promise<T>): Promise<T> {
    const { onWaiting } = this.#wanted;
    if (onWaiting === undefined) return await lock();
    let waits = true;
    const look = async (): Promise<void> => {
      const entry = await store.lookup(this.#key);
      if (waits && entry !== undefined) onWaiting(storedBytes(entry), entry.bytes ?? undefined);
    };
    const timer = setInterval(() => void look().catch(() => undefined), this.#world.patience.waitingMs);
    try {
      return await lock();
    } finally {
      waits = false;
      clearInterval(timer);
    }
  }

  /** Does something with the store, where there is one. What fails there fails the load only where it insists on keeping the file. */
  async #storing<T>(work: (store: Store) => Promise<T>): Promise<T | undefined> {
    if (this.#store === undefined) return undefined;
    try {
      return await work(this.#store);
    } catch (error) {
      this.#giveUpStore(error);
      return undefined;
    }
  }

  /** Goes on without the store, if that is allowed. What lies there of the file stays, for a load that has more luck. */
  #giveUpStore(error: unknown): void {
    if (this.#signal.aborted || this.#wanted.onUnkept === undefined) throw error;
    this.#store = undefined;
    this.#close();
    this.#wanted.onUnkept(messageOf(storageError(this.#key, error)));
  }

  async #discard(): Promise<void> {
    const store = this.#store;
    this.#close();
    if (store === undefined || this.#verified) return;
    // Somebody who reads it will find the same.
    const release = await store.lock(this.#key, { mode: "exclusive", now: true }).catch(() => undefined);
    if (release === undefined) return;
    await store.remove(this.#key).catch(() => undefined);
    release();
  }

  /** Whether everything that is asked of the file has been found to be so. */
  #trusts(entry: Entry): boolean {
    const { sha256, manifest } = this.#wanted;
    return (sha256 === null || entry.sha256 === sha256) && (manifest === null || entry.manifest);
  }

  async #isCurrent(entry: Entry): Promise<boolean> {
    // A file that is named by its hash can't change.
    return this.#wanted.sha256 !== null || (await isCurrent(entry, this.#remote, this.#world.patience, this.#signal));
  }

  /** Finds out what there is to fetch, and makes room for it. */
  async #begin(): Promise<Beginning> {
    const { patience } = this.#world;
    const entry = await this.#locked("exclusive");
    const { manifest, sha256 } = this.#wanted;
    if (manifest !== null) {
      const auto = manifest === "auto";
      const remote = new Remote(auto ? manifestBeside(this.#url) : manifest, this.#world.fetch, patience.silenceMs);
      const read = (): Promise<string> => this.#retried(remote, () => readText(remote, this.#signal, patience.silenceMs));
      this.#manifest = await findManifest(remote.url, read, { optional: auto, offline: entry?.complete === true });
    }
    if (this.#manifest !== undefined && sha256 !== null && this.#manifest.sha256 !== sha256) {
      throw new RushlightError("ERR_HASH", `${this.#url}: the manifest is of another file than the option sha256`);
    }
    const usable = entry !== undefined && this.#manifest !== undefined && entry.chunkBytes !== this.#manifest.chunkBytes ? undefined : entry;
    let beginning = await this.#ask(usable).catch((error: unknown) => {
      // What is missing of the stored version is not in the file any more.
      if (usable !== undefined && error instanceof Passing && error.otherVersion) return undefined;
      throw error;
    });
    beginning ??= await this.#ask(undefined);
    const kept = usable !== undefined && this.#keeps(usable, beginning.version) ? usable : undefined;
    if (usable !== undefined && kept === undefined && (beginning.first?.start ?? 1) > 0) {
      void beginning.first?.body.cancel().catch(() => undefined);
      beginning = await this.#ask(undefined);
    }
    try {
      await this.#storing((store) => this.#openWriter(store, beginning, kept));
      return beginning;
    } catch (error) {
      void beginning.first?.body.cancel().catch(() => undefined);
      throw error;
    }
  }

  /** Asks for the first chunks that are missing, or, where none are, what the server says about the file. */
  async #ask(entry: Entry | undefined): Promise<Beginning> {
    const { segmentBytes, chunkBytes } = this.#world;
    const layout: Layout = {
      chunkBytes: this.#manifest?.chunkBytes ?? entry?.chunkBytes ?? chunkBytes,
      segmentBytes,
      total: undefined,
    };
    const count = entry?.bytes == null ? Infinity : Math.ceil(entry.bytes / layout.chunkBytes);
    let chunk = 0;
    while (chunk < count && entry?.chunks.has(chunk) === true) chunk++;
    if (entry !== undefined && chunk === count) {
      const known = versionOf(entry);
      const version = await this.#retried(this.#remote, () => this.#remote.peek(this.#signal)).catch((error: unknown) => {
        if (this.#signal.aborted || !entry.complete) throw error;
        return known;
      });
      // As much as the server shows now; the length it need not show again.
      layout.total = version.total ?? known.total;
      return { layout, version: { ...version, total: layout.total }, first: undefined };
    }
    let end = chunk + 1;
    while (end < chunk + segmentChunks(layout) && entry?.chunks.has(end) !== true) end++;
    const first = await this.#retried(this.#remote, async () => {
      const answer = await this.#remote.get(chunk * layout.chunkBytes, end * layout.chunkBytes, this.#signal);
      const { total } = answer.version;
      if (this.#manifest === undefined || total === undefined || total === this.#manifest.bytes) return answer;
      void answer.body.cancel().catch(() => undefined);
      const message = `${this.#url}: the file has ${total} bytes, and its manifest is of one with ${this.#manifest.bytes}`;
      throw new Passing(new RushlightError("ERR_HASH", message), { otherVersion: true });
    });
    layout.total = first.version.total ?? this.#manifest?.bytes;
    return { layout, version: first.version, first };
  }

  /** Whether what is stored may be part of the file as it is on the server now. */
  #keeps(entry: Entry, version: Version): boolean {
    // Each chunk will be compared by itself.
    if (this.#manifest !== undefined) return entry.bytes === this.#manifest.bytes;
    const stored = versionOf(entry);
    if (entry.sha256 !== null && this.#wanted.sha256 !== null && entry.sha256 !== this.#wanted.sha256) return false;
    // With the hash of the whole file it will be known at the end; then it is removed if it was wrong.
    if (entry.complete || this.#wanted.sha256 !== null) return agree(stored, version) && entry.bytes !== null;
    return isBegunOf(entry, version);
  }

  async #openWriter(store: Store, { layout, version }: Beginning, kept: Entry | undefined): Promise<void> {
    const room = layout.total ?? version.announced ?? 0;
    if (kept === undefined) await store.remove(this.#key);
    await store.makeRoom(this.#key, room, this.#wanted.siblings);
    const writer = await store.write(this.#key);
    this.#writer = writer;
    const { etag, modified } = version;
    if (kept === undefined || writer.entry === undefined) {
      const begin = (): void => {
        writer.begin({ bytes: layout.total ?? null, chunkBytes: layout.chunkBytes, etag, modified });
      };
      try {
        begin();
      } catch (error) {
        if (!(error instanceof RushlightError && error.code === "ERR_QUOTA")) throw error;
        try {
          await store.freeRoom(this.#key, room, this.#wanted.siblings, error);
          begin();
        } catch (refused) {
          this.#closeWriter();
          await store.remove(this.#key);
          throw refused;
        }
      }
      return;
    }
    for (const [index, hash] of [...writer.entry.chunks]) if (!this.#isExpected(index, hash)) writer.lose(index);
    if (!agree(versionOf(kept), version)) writer.confirm({ etag, modified });
  }

  #isExpected(index: number, hash: string | undefined): boolean {
    return this.#manifest === undefined || this.#manifest.chunks[index] === hash;
  }

  /** The chunks of a file that is stored. */
  async *#deliverStored(entry: Entry, reader: StoredReader): AsyncGenerator<Bytes, void, undefined> {
    try {
      const count = Math.ceil((entry.bytes ?? 0) / entry.chunkBytes);
      this.#verified = entry.sha256 !== null || entry.manifest;
      // Read and hashed by other threads of the browser, while this one is busy with the chunk before.
      const ahead: Promise<Bytes | undefined>[] = [];
      for (let index = 0; index < count; index++) {
        while (ahead.length < READ_AHEAD && index + ahead.length < count) ahead.push(reader.chunk(index + ahead.length));
        const bytes = await ahead.shift();
        if (this.#signal.aborted) throw abortError(this.#signal);
        if (bytes === undefined) {
          yield* this.#repair(entry, index);
          return;
        }
        this.#cached += bytes.length;
        yield bytes;
      }
    } catch (error) {
      throw plain(error);
    } finally {
      this.#close();
    }
  }

  /** Goes on from a chunk that is damaged in the store: what is missing is fetched, and has to have the hash that it had. */
  async *#repair(entry: Entry, from: number): AsyncGenerator<Bytes, void, undefined> {
    const { segmentBytes } = this.#world;
    this.#close();
    const version = versionOf(entry);
    const now = await this.#locked("exclusive");
    this.#writer = await this.#storing((store) => {
      if (now !== undefined && agree(versionOf(now), version) && now.chunkBytes === entry.chunkBytes) return store.write(this.#key);
      throw new RushlightError("ERR_STORAGE", `${this.#url}: the stored file was damaged or removed while it was read; load it again`);
    });
    const layout = { chunkBytes: entry.chunkBytes, segmentBytes, total: version.total };
    yield* this.#deliver({ layout, version, first: undefined }, from, entry);
  }

  /** The chunks from one on, stored ones and those that have to be fetched, in order. `known` is a file that was whole once. */
  async *#deliver(beginning: Beginning, from: number, known?: Entry): AsyncGenerator<Bytes, void, undefined> {
    const { layout, version, first } = beginning;
    const { patience, random } = this.#world;
    const expected = (index: number): string | undefined => this.#manifest?.chunks[index] ?? known?.chunks.get(index);
    const stored = new Set(this.#writer?.entry?.chunks.keys());
    const whole = known === undefined && this.#wanted.sha256 !== null ? new Sha256() : undefined;
    const accept = async (index: number, bytes: Bytes): Promise<boolean> => {
      const wanted = expected(index);
      if (wanted === undefined && this.#writer === undefined) return true;
      const hash = await sha256(bytes);
      if (wanted !== undefined && hash !== wanted) return false;
      this.#writing((writer) => {
        writer.put(index, bytes, hash);
      });
      return true;
    };
    const has = (index: number): boolean => this.#writer?.has(index) ?? false;
    const { connections } = this.#wanted;
    const common = { remote: this.#remote, hold: this.#hold, signal: this.#signal, patience, random };
    const download = new Download({ ...common, layout, version, connections, has, accept }, from, first);
    // Whether what is stored can't be told from what is wrong.
    let spoilt = false;
    try {
      let delivered = from * layout.chunkBytes;
      for (let index = from; ; index++) {
        let bytes: Bytes | undefined;
        if (stored.has(index)) {
          download.want(index);
          bytes = await this.#storing(async () => await this.#writer?.chunk(index));
          if (this.#signal.aborted) throw abortError(this.#signal);
          this.#cached += bytes?.length ?? 0;
        }
        if (bytes === undefined) bytes = await download.take();
        else download.want(index + 1);
        if (bytes === undefined) break;
        whole?.update(bytes);
        delivered += bytes.length;
        yield bytes;
      }
      if (whole !== undefined && whole.hex() !== this.#wanted.sha256) {
        spoilt = true;
        throw this.#wrongFile();
      }
      const trusted = { sha256: this.#wanted.sha256 ?? known?.sha256 ?? null, manifest: this.#manifest !== undefined || known?.manifest === true };
      await download.close();
      this.#writing((writer) => {
        writer.finish({ bytes: delivered, ...trusted });
      });
      this.#verified = trusted.sha256 !== null || trusted.manifest;
    } catch (error) {
      const changed = error instanceof Passing ? error.otherVersion : error instanceof RushlightError && error.code === "ERR_HASH";
      if (changed && this.#manifest === undefined) spoilt = true;
      throw plain(error);
    } finally {
      await download.close();
      this.#closeWriter();
      if (spoilt) await this.#store?.remove(this.#key).catch(() => undefined);
      this.#close();
    }
  }

  /** Writes to the store, where there is one still. */
  #writing(work: (writer: StoredWriter) => void): void {
    try {
      if (this.#writer !== undefined) work(this.#writer);
    } catch (error) {
      this.#giveUpStore(error);
    }
  }

  #wrongFile(): RushlightError {
    const message = `${this.#url}: the file has another SHA-256 than the option sha256: it was damaged on its way, or is another version`;
    return new RushlightError("ERR_HASH", message);
  }

  /** Asks this server again while a failure may pass. */
  async #retried<T>(remote: Remote, work: () => Promise<T>): Promise<T> {
    const retries = new Retries(this.#world.patience, this.#world.random, this.#hold);
    return await retried(work, retries, remote, this.#signal);
  }

  #closeWriter(): void {
    this.#writer?.close();
    this.#writer = undefined;
  }

  /** Gives back the files and the lock. */
  #close(): void {
    this.#closeWriter();
    this.#release?.();
    this.#release = undefined;
  }
}
