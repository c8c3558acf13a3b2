// One file on a server: requests for a part of it, and what the answers say about the file.

import { abortError, RushlightError } from "../errors.js";
import { readBody } from "./body.js";
import { unlessPage } from "./page.js";
import { broken, Passing, refusal } from "./retry.js";

/** What tells one version of a file from another, as far as the server shows it to this page. */
export interface Version {
  /** Bytes of the file, where that is certain. */
  readonly total: number | undefined;
  /**
   * Bytes that the server announces of the whole file, where they may be those of a compressed one: of other origins a page sees the
   * length and not the encoding. Nothing is cut by it.
   */
  readonly announced?: number | undefined;
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
  /** Bytes that it has at most, of a part. */
  readonly most?: number;
  readonly body: ReadableStream<Uint8Array>;
}

/** The part of `fetch` that is needed. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Whether two answers can be about the same version: nothing that both say differs. */
export function agree(a: Version, b: Version): boolean {
  const alike = <T>(x: T | null | undefined, y: T | null | undefined): boolean => x == null || y == null || x === y;
  if (!alike(a.total, b.total) || !alike(a.etag, b.etag) || !alike(a.modified, b.modified)) return false;
  // A length that differs from what is announced is that of a compressed file, or of another version: a validator tells.
  return (alike(a.announced, b.total) && alike(a.total, b.announced)) || shareValidator(a, b);
}

/** Whether two answers are about the same version beyond a chance likeness of lengths. */
export function same(a: Version, b: Version): boolean {
  return agree(a, b) && shareValidator(a, b);
}

function shareValidator(a: Version, b: Version): boolean {
  return (a.etag !== null && a.etag === b.etag) || (a.modified !== null && a.modified === b.modified);
}

/** Requests to one address. */
export class Remote {
  readonly url: string;
  readonly #fetch: Fetch;
  readonly #silenceMs: number;
  /** Whether parts can be asked for; unknown before the first answer. */
  #ranges: boolean | undefined;
  /** The length, where answers with a part do not show it to this page, and it was found out. */
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
    const answer = await this.#all(response);
    this.#ranges ??= false;
    return answer;
  }

  /** What the server says about the file, without its bytes. */
  async peek(signal: AbortSignal): Promise<Version> {
    const { version, body } = await this.get(0, 1, signal);
    void body.cancel().catch(() => undefined);
    return version;
  }

  /** The failure of a part that is more than was asked for: its bytes are not those of the file at that place. */
  overfull(most: number): Passing {
    const message = `${this.url}: the server sent more than the ${most} bytes of the part that was asked for`;
    return new Passing(new RushlightError("ERR_NETWORK", message), { otherVersion: true });
  }

  /** The failure of an answer about another version. */
  changed(): Passing {
    const message = `${this.url}: the file changed on the server while it was being fetched; load it again`;
    return new Passing(new RushlightError("ERR_NETWORK", message), { otherVersion: true });
  }

  /** Asks for the whole file. */
  async getWhole(signal: AbortSignal): Promise<Answer> {
    const answer = await this.#all(await this.#request("GET", {}, signal));
    this.#ranges = false;
    return answer;
  }

  async #all(response: Response): Promise<Answer> {
    if (!response.ok || response.body === null) {
      drop(response);
      throw refusal(this.url, response, Date.now());
    }
    const length = isEncoded(response) ? undefined : count(response.headers.get("content-length"));
    // Of its own origin a page sees every header: there is no encoding then.
    const lengths = response.type === "basic" ? { total: length } : { total: undefined, announced: length };
    return { version: versionOf(response, lengths), start: 0, ranged: false, body: await unlessPage(response, response.body, this.url) };
  }

  async #part(response: Response, start: number, end: number, signal: AbortSignal): Promise<Answer> {
    const { body } = response;
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "");
    if (range !== null && (Number(range[1]) !== start || Number(range[2]) >= end)) {
      drop(response);
      throw new Passing(new RushlightError("ERR_NETWORK", `${this.url}: the server sent ${range[0]} for ${start}-${end - 1}`));
    }
    const total = count(range?.[3] ?? null) ?? (await this.#findLength(signal));
    if (body === null || isEncoded(response) || total === undefined) {
      // Of the compressed file, or of a file of unknown length: such parts can't be put together.
      drop(response);
      return await this.getWhole(signal);
    }
    this.#ranges = true;
    const most = (range === null ? Math.min(end, total) : Number(range[2]) + 1) - start;
    return { version: versionOf(response, { total }), start, ranged: true, most, body: start > 0 ? body : await unlessPage(response, body, this.url) };
  }

  /** Browsers show Content-Length of another origin, but Content-Range only where the server says so. */
  async #findLength(signal: AbortSignal): Promise<number | undefined> {
    if (this.#length === undefined) {
      // Of all bytes, since browsers ask for no encoding where they ask for a range: the length is then rarely a compressed one.
      const response = await this.#request("HEAD", { range: "bytes=0-" }, signal);
      const announced = response.ok && !isEncoded(response) ? count(response.headers.get("content-length")) : undefined;
      if (announced !== undefined && (await this.#endsAt(announced, signal))) this.#length = announced;
    }
    return this.#length;
  }

  /**
   * Whether the file has so many bytes: it has a last one, and none behind it. A server that compresses what it sends announces the
   * compressed length to HEAD, where this page may not see that it does, and sends parts of the file as it is.
   */
  async #endsAt(length: number, signal: AbortSignal): Promise<boolean> {
    if (length === 0) return false;
    const response = await this.#request("GET", { range: `bytes=${length - 1}-${length}` }, signal);
    const { body } = response;
    if (response.status !== 206 || body === null) {
      drop(response);
      if (response.ok || response.status === 416) return false;
      throw refusal(this.url, response, Date.now());
    }
    let bytes = 0;
    for await (const piece of readBody(body, `fetching ${this.url}`, signal, this.#silenceMs)) {
      bytes += piece.length;
      if (bytes > 1) break;
    }
    return bytes === 1;
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

function versionOf({ headers }: Response, lengths: Pick<Version, "total" | "announced">): Version {
  return { ...lengths, etag: headers.get("etag"), modified: headers.get("last-modified") };
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
