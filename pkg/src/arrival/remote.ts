// One file on a server: requests for a part of it, and what the answers say about the file.

import { abortError, RushlightError } from "../errors.js";
import { Passing, refusal } from "./retry.js";

/** What tells one version of a file from another, as far as the server shows it to this page. */
export interface Version {
  /** Bytes of the file. */
  readonly total: number | undefined;
  readonly etag: string | null;
  /** The header Last-Modified. */
  readonly modified: string | null;
}

/** Bytes on their way: those from `start` on. */
export interface Answer {
  readonly version: Version;
  readonly start: number;
  /** Whether they are the part that was asked for, and not the whole file. */
  readonly ranged: boolean;
  readonly body: ReadableStream<Uint8Array>;
}

/** The part of `fetch` that is needed. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Whether two answers can be about the same version: nothing that both say differs. */
export function agree(a: Version, b: Version): boolean {
  const alike = <T>(x: T | null | undefined, y: T | null | undefined): boolean => x == null || y == null || x === y;
  return alike(a.total, b.total) && alike(a.etag, b.etag) && alike(a.modified, b.modified);
}

/** Whether two answers are about the same version beyond a chance likeness of lengths. */
export function same(a: Version, b: Version): boolean {
  return agree(a, b) && ((a.etag !== null && a.etag === b.etag) || (a.modified !== null && a.modified === b.modified));
}

/** Requests to one address. */
export class Remote {
  readonly url: string;
  readonly #fetch: Fetch;
  readonly #silenceMs: number;
  /** Whether parts can be asked for; unknown before the first answer. */
  #ranges: boolean | undefined;
  /** The length, where answers with a part do not show it to this page. */
  #length: number | undefined;
  #reached = false;

  constructor(url: string, fetch: Fetch, silenceMs: number) {
    this.url = url;
    this.#fetch = fetch;
    this.#silenceMs = silenceMs;
  }

  /** Whether the server has ever answered. */
  get reached(): boolean {
    return this.#reached;
  }

  /** Whether the server only gives whole files. */
  get whole(): boolean {
    return this.#ranges === false;
  }

  /**
   * Asks for the bytes from `start` to `end`; the answer may be the whole file all the same. Fails with `Passing` where asking
   * again may help.
   */
  async get(start: number, end: number, signal: AbortSignal): Promise<Answer> {
    if (this.#ranges === false) return await this.getWhole(signal);
    let response;
    try {
      response = await this.#request("GET", { range: `bytes=${start}-${end - 1}` }, signal);
    } catch (error) {
      // A request for a range to another origin may have failed because it needs leave (a preflight); the plain one does not.
      if (signal.aborted || this.#ranges !== undefined || !this.#elsewhere()) throw error;
      return await this.getWhole(signal);
    }
    if (response.status === 206) return await this.#part(response, start, end, signal);
    // A request for a part of an empty file, or of one that has become shorter.
    if (response.status === 416) {
      drop(response);
      if (start === 0) return await this.getWhole(signal);
      throw this.changed();
    }
    // Some servers behind one address know ranges and some don't: one that did is asked again.
    if (response.ok && this.#ranges === true && start > 0) {
      drop(response);
      throw new Passing(new RushlightError("ERR_NETWORK", `${this.url}: the server sent the whole file instead of a part`));
    }
    const answer = this.#all(response);
    this.#ranges ??= false;
    return answer;
  }

  /** What the server says about the file, without its bytes. */
  async peek(signal: AbortSignal): Promise<Version> {
    const { version, body } = await this.get(0, 1, signal);
    void body.cancel().catch(() => undefined);
    return version;
  }

  /** The failure of an answer about another version. */
  changed(): Passing {
    const message = `${this.url}: the file changed on the server while it was being fetched; load it again`;
    return new Passing(new RushlightError("ERR_NETWORK", message), { otherVersion: true });
  }

  /** Asks for the whole file. */
  async getWhole(signal: AbortSignal): Promise<Answer> {
    const answer = this.#all(await this.#request("GET", {}, signal));
    this.#ranges = false;
    return answer;
  }

  #all(response: Response): Answer {
    if (!response.ok || response.body === null) {
      drop(response);
      throw refusal(this.url, response, Date.now());
    }
    const total = isEncoded(response) ? undefined : count(response.headers.get("content-length"));
    return { version: versionOf(response, total), start: 0, ranged: false, body: response.body };
  }

  async #part(response: Response, start: number, end: number, signal: AbortSignal): Promise<Answer> {
    const { body } = response;
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
    if (range !== null && (Number(range[1]) !== start || Number(range[2]) >= end)) {
      drop(response);
      throw new Passing(new RushlightError("ERR_NETWORK", `${this.url}: the server sent ${range[0]} for ${start}-${end - 1}`));
    }
    const total = count(range?.[3] ?? null) ?? (await this.#lengthByHead(signal));
    if (body === null || isEncoded(response) || total === undefined) {
      // Of the compressed file, or of a file of unknown length: such parts can't be put together.
      drop(response);
      return await this.getWhole(signal);
    }
    this.#ranges = true;
    return { version: versionOf(response, total), start, ranged: true, body };
  }

  /** Browsers show Content-Length of another origin, but Content-Range only where the server says so. */
  async #lengthByHead(signal: AbortSignal): Promise<number | undefined> {
    if (this.#length === undefined) {
      const response = await this.#request("HEAD", {}, signal);
      if (response.ok && !isEncoded(response)) this.#length = count(response.headers.get("content-length"));
    }
    return this.#length;
  }

  /** Fails where the server says nothing for too long. */
  async #request(method: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    const controller = new AbortController();
    const abort = (): void => {
      controller.abort();
    };
    const timer = setTimeout(() => {
      controller.abort(new Error(`no answer within ${this.#silenceMs / 1000} s`));
    }, this.#silenceMs);
    signal.addEventListener("abort", abort);
    try {
      if (signal.aborted) throw abortError(signal);
      // What is stored is stored once: not in the HTTP cache as well.
      const response = await this.#fetch(this.url, { method, headers, cache: "no-store", signal: controller.signal });
      this.#reached = true;
      return response;
    } catch (error) {
      if (signal.aborted) throw abortError(signal);
      // Its reason, where we gave it up.
      throw broken(`fetching ${this.url}`, controller.signal.aborted ? controller.signal.reason : error);
    } finally {
      clearTimeout(timer);
      // From here on whoever reads the body listens.
      signal.removeEventListener("abort", abort);
    }
  }

  #elsewhere(): boolean {
    const here = (globalThis as { readonly location?: Location }).location;
    return here !== undefined && new URL(this.url).origin !== here.origin;
  }
}

/** A connection that failed. */
export function broken(what: string, cause: unknown): Passing {
  const said = cause instanceof Error ? `: ${cause.message}` : "";
  return new Passing(new RushlightError("ERR_NETWORK", `${what} failed${said}`, { cause }));
}

function versionOf({ headers }: Response, total: number | undefined): Version {
  return { total, etag: headers.get("etag"), modified: headers.get("last-modified") };
}

/** Whether the bytes that arrive are not those that the headers count. */
function isEncoded({ headers }: Response): boolean {
  const encoding = headers.get("content-encoding");
  return encoding !== null && encoding !== "identity";
}

function count(header: string | null): number | undefined {
  if (header === null || !/^\d+$/.test(header)) return undefined;
  const value = Number(header);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The connection must not stay open for a body that nobody reads. */
function drop({ body }: Response): void {
  void body?.cancel().catch(() => undefined);
}
