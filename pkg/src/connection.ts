// The page's side of the channel: requests out, answers to whoever asked.

import type { AskStage } from "./ask.js";
import { abortError, type ErrorData, fromErrorData, messageOf, RushlightError } from "./errors.js";
import { enter } from "./measures.js";
import type { Channel, Reply, Request } from "./protocol.js";
import type { ThreadsWanted } from "./threads.js";
import type { LoadProgress, Piece } from "./types.js";

/** What may be heard before the answer. */
export interface Listeners {
  readonly onPiece?: (piece: Piece) => void;
  readonly onStage?: (stage: AskStage) => void;
  readonly onProgress?: (progress: LoadProgress) => void;
}

interface Pending extends Listeners {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: RushlightError) => void;
}

/** A request without its id. */
type Body<R = Request> = R extends { readonly type: "cancel" } ? never : R extends Request ? Omit<R, "id"> : never;

/** A request on its way. */
export interface Call {
  readonly answer: Promise<unknown>;
  /** Fails with `ERR_ABORTED` at once, unless the answer was there first, and has the worker end it as soon as it hears of it. */
  cancel(): void;
}

const connections = new WeakMap<object, Connection>();

/** Notes what a model talks through. */
export function connects(model: object, connection: Connection): void {
  connections.set(model, connection);
}

/** What a model talks through. */
export function connectionOf(model: object): Connection {
  const connection = connections.get(model);
  if (connection === undefined) throw new RushlightError("ERR_BAD_ARGUMENT", "embedder: expected what loadModel gave, unwrapped");
  return connection;
}

/** Requests to one worker. */
export class Connection {
  readonly #channel: Channel<Reply, Request>;
  readonly #terminate: () => void;
  readonly #lend: (wanted: ThreadsWanted) => void;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #closed: RushlightError | undefined;

  constructor(channel: Channel<Reply, Request>, terminate: () => void, lend: (wanted: ThreadsWanted) => void = () => undefined) {
    this.#channel = channel;
    this.#terminate = terminate;
    this.#lend = lend;
    channel.onmessage = (event) => {
      this.#receive(event.data);
    };
  }

  /** Sends a request. */
  call(body: Body, listeners: Listeners = {}): Call {
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#closed !== undefined) {
        reject(this.#closed);
        return;
      }
      try {
        this.#channel.postMessage({ ...body, id });
      } catch (cause) {
        // A proxy, a function, something with a handle on the page: the worker has not heard of it and will not answer.
        reject(new RushlightError("ERR_BAD_ARGUMENT", `${body.type}: what was given cannot be sent to the worker: ${messageOf(cause)}`, { cause }));
        return;
      }
      this.#pending.set(id, { ...listeners, resolve, reject });
    });
    return {
      answer,
      cancel: () => {
        const pending = this.#pending.get(id);
        if (pending === undefined) return;
        this.#pending.delete(id);
        this.#channel.postMessage({ type: "cancel", id });
        // Not when the worker answers: it may be busy, or have other requests before this one.
        pending.reject(abortError());
      },
    };
  }

  /** The answer to a request; the signal ends it at once, and its reason is the error's cause. */
  async ask(body: Body, signal?: AbortSignal, listeners?: Listeners): Promise<unknown> {
    if (signal?.aborted === true) throw abortError(signal);
    const call = this.call(body, listeners);
    const cancel = (): void => {
      call.cancel();
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      return await call.answer;
    } catch (error) {
      // The page's own error has the signal's reason.
      throw error instanceof RushlightError && error.code === "ERR_ABORTED" ? abortError(signal) : error;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Ends the worker; every request that waits, and every later one, fails with the error. */
  close(error: RushlightError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#terminate();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #receive(reply: Reply): void {
    if (reply.type === "fatal") {
      this.close(fromErrorData(reply.error));
      return;
    }
    if (reply.type === "measure") {
      enter(reply.measure);
      return;
    }
    if (reply.type === "lend") {
      this.#lend(reply.wanted);
      return;
    }
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    switch (reply.type) {
      case "piece":
        pending.onPiece?.(reply.piece);
        return;
      case "stage":
        pending.onStage?.(reply.stage);
        return;
      case "progress":
        pending.onProgress?.(reply.progress);
        return;
      case "result":
        this.#pending.delete(reply.id);
        pending.resolve(reply.value);
        return;
      case "error":
        this.#pending.delete(reply.id);
        this.#fail(pending, reply.error);
    }
  }

  #fail(pending: Pending, data: ErrorData): void {
    const error = fromErrorData(data);
    pending.reject(error);
    // What is left of the model is on a device that is gone.
    if (error.code === "ERR_DEVICE_LOST") this.close(error);
  }
}
