// A disk that can break off after any write, locks that several "tabs" share, and a server that does what servers do on bad days.

import { createHash } from "node:crypto";
import { createServer } from "node:http";

import { arrive } from "../modules/arrival/arrive.js";
import { PATIENCE } from "../modules/arrival/retry.js";
import { Store } from "../modules/store/store.js";

/** Numbers below 1 that are the same for the same seed (mulberry32). */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const below = (rng, count) => Math.floor(rng() * count);
export const pick = (rng, list) => list[below(rng, list.length)];

/** Bytes that look like a model's. */
export function content(seed, length) {
  const rng = random(seed);
  return Uint8Array.from({ length }, () => below(rng, 256));
}

export const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** A manifest as `rushlight manifest` writes it, but for its chunks' size. */
export function manifestOf(bytes, chunkBytes) {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(hashOf(bytes.subarray(at, at + chunkBytes)));
  return { bytes: bytes.length, chunk_bytes: chunkBytes, sha256: hashOf(bytes), chunks };
}

/** What a file system says once its process is gone. */
export class Crash extends Error {}

/** Files that outlive the processes that write them. */
export class Disk {
  /** Content by name; of each what is certainly on the medium, and what was written since. */
  files = new Map();

  /** The disk as one process sees it: `crashAfter` so many changes it is gone, with a part of the last one done. */
  process({ crashAfter = Infinity, powerLoss = false, rng = random(1), onCrash = () => {} } = {}) {
    const { files } = this;
    let left = crashAfter;
    let dead = false;
    const alive = () => {
      if (dead) throw new Crash("this process is gone");
    };
    const die = () => {
      dead = true;
      if (powerLoss) for (const file of files.values()) file.lose(rng);
      onCrash();
      throw new Crash("this process is gone");
    };
    /** One change; the last one is cut short. */
    const change = (whole, torn = () => {}) => {
      alive();
      if (--left < 0) {
        torn();
        die();
      }
      return whole();
    };
    const folder = {
      names: async () => (alive(), [...files.keys()]),
      snapshot: async (name) => {
        alive();
        const file = files.get(name);
        return file === undefined ? undefined : new Blob([file.now]);
      },
      remove: async (name) => change(() => void files.delete(name)),
      open: async (name) => {
        alive();
        if (files.get(name)?.isOpen === true && files.get(name).owner?.dead?.() === false) throw new Error(`${name} is open`);
        if (!files.has(name)) change(() => files.set(name, new FileOnDisk()));
        const file = files.get(name);
        file.isOpen = true;
        file.owner = { dead: () => dead };
        return {
          size: () => (alive(), file.now.length),
          read: (into, at) => {
            alive();
            const part = file.now.subarray(at, at + into.length);
            into.set(part);
            return part.length;
          },
          write: (bytes, at) => change(() => file.write(bytes, at), () => file.write(bytes.subarray(0, below(rng, bytes.length + 1)), at)),
          truncate: (size) => change(() => file.truncate(size)),
          flush: () => change(() => file.flush()),
          close: () => {
            if (!dead) file.isOpen = false;
          },
        };
      },
    };
    return { folder, kill: () => { try { die(); } catch { /* as meant */ } }, changes: () => crashAfter - left };
  }
}

class FileOnDisk {
  now = new Uint8Array(0);
  #certain = new Uint8Array(0);
  #since = [];
  isOpen = false;

  write(bytes, at) {
    const copy = bytes.slice();
    this.#since.push((file) => written(file, copy, at));
    this.now = written(this.now, copy, at);
  }

  truncate(size) {
    this.#since.push((file) => resized(file, size));
    this.now = resized(this.now, size);
  }

  flush() {
    this.#certain = this.now.slice();
    this.#since = [];
  }

  /** The power is gone: of what was not flushed any part may be there. */
  lose(rng) {
    this.now = this.#since.reduce((file, change) => (rng() < 0.5 ? change(file) : file), this.#certain);
    this.flush();
  }
}

function resized(file, size) {
  const next = new Uint8Array(size);
  next.set(file.subarray(0, size));
  return next;
}

function written(file, bytes, at) {
  const next = at + bytes.length > file.length ? resized(file, at + bytes.length) : file;
  next.set(bytes, at);
  return next;
}

/** Locks of one browser; a process that ends gives its locks back. */
export class SharedLocks {
  #holders = new Map();
  #waiting = [];

  process() {
    const mine = new Set();
    const locks = {
      acquire: (name, { mode, signal, now = false }) =>
        new Promise((resolve, reject) => {
          const request = {
            tryNow: () => {
              const holders = this.#holders.get(name) ?? [];
              if (holders.length > 0 && (mode === "exclusive" || holders.some((holder) => holder.mode === "exclusive"))) return false;
              const holder = { mode, name };
              this.#holders.set(name, [...holders, holder]);
              mine.add(holder);
              resolve(() => {
                mine.delete(holder);
                this.#release(holder);
              });
              return true;
            },
          };
          if (request.tryNow()) return;
          if (now) {
            resolve(undefined);
            return;
          }
          signal?.addEventListener("abort", () => {
            this.#waiting = this.#waiting.filter((other) => other !== request);
            reject(signal.reason);
          });
          this.#waiting.push(request);
        }),
    };
    return { locks, die: () => [...mine].forEach((holder) => this.#release(holder)) };
  }

  #release(holder) {
    this.#holders.set(holder.name, (this.#holders.get(holder.name) ?? []).filter((other) => other !== holder));
    this.#waiting = this.#waiting.filter((request) => !request.tryNow());
  }
}

/** Not patient: a test has many failures. */
export const IMPATIENT = { ...PATIENCE, firstWaitMs: 1, longestWaitMs: 4, silenceMs: 500, revalidateMs: 500 };

/** A tab: what a load needs, over a disk and locks that outlive it. */
export class Tab {
  constructor({ disk = new Disk(), locks = new SharedLocks(), quota, now = Date.now, seed = 1, chunkBytes = 1000, segmentBytes = 4000, fetch, patience = IMPATIENT, ...crash } = {}) {
    const { locks: own, die } = locks.process();
    const process = disk.process({ ...crash, onCrash: die });
    const used = () => [...disk.files.values()].reduce((sum, file) => sum + file.now.length, 0);
    const space = { estimate: async () => (quota === undefined ? undefined : { usage: used(), quota }) };
    this.kill = process.kill;
    this.changes = process.changes;
    this.folder = process.folder;
    this.store = new Store(process.folder, own, space, now);
    this.world = { fetch: fetch ?? ((url, init) => globalThis.fetch(url, init)), store: this.store, patience, random: random(seed), chunkBytes, segmentBytes };
    this.now = now;
  }

  /** Opens a file. */
  open(url, { sha256 = null, manifest = null, connections = 4, signal = new AbortController().signal, store = true, siblings = [] } = {}) {
    const world = store ? this.world : { ...this.world, store: undefined };
    return arrive(url, { sha256, manifest, connections, siblings }, world, signal);
  }

  /** Loads a file; `onChunk` sees each chunk as it is delivered. */
  async load(url, options = {}) {
    const arrival = await this.open(url, options);
    const parts = [];
    for await (const chunk of arrival.chunks) {
      parts.push(chunk.slice());
      await options.onChunk?.(chunk, parts.length);
    }
    return { bytes: joined(parts), cached: arrival.cached(), total: arrival.total };
  }
}

export function joined(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * A server of files by path: `files` has `{ bytes, etag, modified, ranges, sized }`. `fault(request, file)` may name what goes
 * wrong with an answer. `log` has every request: path, range, and the bytes that were sent.
 */
export async function startServer() {
  const state = { files: new Map(), fault: () => undefined, log: [], open: 0, mostOpen: 0 };
  const server = createServer((request, answer) => {
    state.open++;
    state.mostOpen = Math.max(state.mostOpen, state.open);
    answer.on("close", () => state.open--);
    serve(state, request, answer);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  return {
    ...state,
    state,
    origin,
    put: (path, bytes, about = {}) => {
      state.files.set(path, { bytes, etag: `"${hashOf(bytes).slice(0, 8)}"`, modified: null, ranges: true, sized: true, ...about });
      return origin + path;
    },
    sent: (path) => state.log.filter((entry) => entry.path === path).reduce((sum, entry) => sum + entry.sent, 0),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function serve(state, request, answer) {
  const path = request.url;
  const file = state.files.get(path);
  const entry = { path, range: request.headers.range, method: request.method, sent: 0, at: performance.now() };
  state.log.push(entry);
  const fault = state.fault(request, file) ?? {};
  if (fault.reset) return void answer.destroy();
  if (fault.status !== undefined) return void answer.writeHead(fault.status, fault.headers ?? {}).end();
  if (file === undefined) return void answer.writeHead(404).end();
  const { bytes, etag, modified, ranges, sized } = file;
  const headers = { ...(etag === null ? {} : { etag }), ...(modified === null ? {} : { "last-modified": modified }) };
  const asked = ranges && !fault.ignoreRange ? /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") : null;
  let [start, end] = asked === null ? [0, bytes.length] : [Number(asked[1]), asked[2] === "" ? bytes.length : Math.min(bytes.length, Number(asked[2]) + 1)];
  if (start >= bytes.length && asked !== null) return void answer.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
  let body = bytes.slice(start, end);
  if (fault.flip !== undefined && body.length > 0) body[Math.floor(fault.flip * body.length)] ^= 1 << Math.floor(fault.flip * 8000) % 8;
  const promised = body.length + (fault.promise ?? 0);
  const total = bytes.length + (fault.lie ?? 0);
  if (sized) headers["content-length"] = asked === null && fault.lie !== undefined ? Math.max(0, total) : promised;
  if (asked !== null) headers["content-range"] = `bytes ${start}-${start + body.length - 1}/${total}`;
  if (asked === null && fault.lie < 0) body = body.subarray(0, Math.max(0, total));
  answer.writeHead(asked === null ? 200 : 206, headers);
  if (request.method === "HEAD") return void answer.end();
  const cutAt = fault.cut === undefined ? undefined : Math.floor(fault.cut * body.length);
  void send(answer, cutAt === undefined ? body : body.subarray(0, cutAt), entry, fault.drip).then(() => {
    if (cutAt !== undefined || (fault.promise ?? 0) > 0 || (asked === null && fault.lie > 0)) answer.destroy();
    else answer.end();
  });
}

/** Resolves when there is room for more, or nobody reads any more. */
async function drained(answer) {
  await new Promise((resolve) => {
    const events = ["drain", "close"];
    const done = () => {
      for (const event of events) answer.off(event, done);
      resolve();
    };
    for (const event of events) answer.on(event, done);
  });
}

async function send(answer, body, entry, drip = 0) {
  // In small pieces, so that an abort finds the rest unsent.
  const piece = drip > 0 ? Math.max(1, Math.ceil(body.length / 10)) : 16_384;
  for (let at = 0; at < body.length && !answer.destroyed; at += piece) {
    const part = body.subarray(at, at + piece);
    entry.sent += part.length;
    if (!answer.write(part)) await drained(answer);
    if (drip > 0) await new Promise((resolve) => setTimeout(resolve, drip));
  }
}
