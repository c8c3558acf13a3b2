// Files that the tests' server makes up: by their path a version and a length, with ranges and an ETag, as slowly as asked.

import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

/** Takes the paths below /weights/ of the tests' server. */
export class Weights {
  /** Bytes that were sent, by path. */
  sent = new Map();
  /** Bytes a millisecond and connection; as fast as it goes where there is none. */
  rate = undefined;
  /** Whether the connection breaks instead of an answer. */
  gone = false;
  #files = new Map();

  constructor(server) {
    server.state.intercept = (request, answer, headers) => {
      const file = this.#files.get(request.url);
      if (file === undefined && !(this.gone && request.url.startsWith("/minilm/"))) return false;
      if (this.gone) answer.destroy();
      else void this.#send(request, answer, headers, file);
      return true;
    };
  }

  /** Puts a file there; the same seed and length are the same bytes. */
  put(path, length, seed = 1) {
    const bytes = Buffer.alloc(length);
    for (let at = 0, state = seed; at + 4 <= length; at += 4) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bytes.writeUInt32LE(state, at);
    }
    const file = { bytes, sha256: createHash("sha256").update(bytes).digest("hex"), etag: `"${seed}"` };
    this.#files.set(path, file);
    this.sent.set(path, 0);
    return file;
  }

  async #send({ url, headers: asked }, answer, headers, { bytes, etag }) {
    const range = /^bytes=(\d+)-(\d+)$/.exec(asked.range ?? "");
    const [start, end] = range === null ? [0, bytes.length] : [Number(range[1]), Math.min(bytes.length, Number(range[2]) + 1)];
    answer.writeHead(range === null ? 200 : 206, {
      ...headers,
      etag,
      "content-length": end - start,
      ...(range === null ? {} : { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` }),
    });
    const piece = 8192;
    for (let at = start; at < end && !answer.destroyed; at += piece) {
      const part = bytes.subarray(at, Math.min(end, at + piece));
      this.sent.set(url, this.sent.get(url) + part.length);
      answer.write(part);
      if (this.rate !== undefined) await sleep(part.length / this.rate);
    }
    answer.end();
  }
}
