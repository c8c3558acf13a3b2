// The vectors of documents as the page asks an embedder's worker for them (`index-host.ts`): those that a question needs at once, the
// rest in the background.

import type { AskStage, IndexOptions, IndexProgress, SentencesOf } from "./ask.js";
import type { Call, Connection } from "./connection.js";
import { abortError } from "./errors.js";
import { answerTo } from "./signalled.js";

/** What a question needs. */
export interface Comparison {
  readonly question: string;
  readonly documents: readonly SentencesOf[];
  /** Sentences to be embedded before it is answered, counted through the documents. */
  readonly first: Uint32Array;
  /** The sentences of a document, where the embedder has not seen them. */
  readonly sentencesOf: (document: number) => Promise<readonly string[]>;
  readonly keep: boolean;
  readonly signal: AbortSignal | undefined;
  readonly onStage: ((stage: AskStage) => void) | undefined;
}

/** One embedder's documents. */
export class IndexClient {
  readonly #connection: Connection;
  /** Questions that are being answered: nothing is done in the background meanwhile. */
  #asking = 0;
  #onIdle: (() => void)[] = [];
  /** Questions open their documents one after the other. */
  #turn: Promise<void> = Promise.resolve();
  /** The documents that are open, and the one background that works on them. */
  #open = "";
  #filling: { readonly stop: () => void } | undefined;
  #call: Call | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Answers a question while the background waits, and then goes on. */
  async whileAsking<T>(work: () => Promise<T>): Promise<T> {
    this.#asking += 1;
    this.#call?.cancel();
    try {
      return await work();
    } finally {
      this.#asking -= 1;
      if (this.#asking === 0) for (const go of this.#onIdle.splice(0)) go();
    }
  }

  /** The product of the question's vector with that of each sentence; not a number for one that is not embedded. */
  async compare(wanted: Comparison): Promise<Float32Array> {
    const before = this.#turn;
    let done: () => void = () => undefined;
    this.#turn = new Promise((resolve) => (done = resolve));
    try {
      await unlessAborted(before, wanted.signal);
      return await this.#compare(wanted);
    } finally {
      // Whoever comes next waits for those before as well: this one may have been aborted while it waited.
      void before.then(done);
    }
  }

  async #compare({ question, documents, first, sentencesOf, keep, signal, onStage }: Comparison): Promise<Float32Array> {
    const open = identityOf(documents);
    if (open !== this.#open) this.#filling?.stop();
    this.#open = "";
    const lacking = (await answerTo(this.#connection, { type: "index-open", documents, keep }, signal)) as number[];
    for (const document of lacking) {
      await answerTo(this.#connection, { type: "index-give", document, sentences: await sentencesOf(document) }, signal);
    }
    this.#open = open;
    return (await answerTo(this.#connection, { type: "index-compare", question, first }, signal, onStage && { onStage })) as Float32Array;
  }

  /** Embeds the rest of the documents that are open, if they are these. Ends by itself when all is done, or when others are opened. */
  fill(documents: readonly SentencesOf[], { keep = true, signal, onProgress }: IndexOptions): void {
    if (this.#open !== identityOf(documents) || signal?.aborted === true) return;
    this.#filling?.stop();
    let stopped = false;
    const stop = (): void => {
      stopped = true;
      this.#call?.cancel();
    };
    const filling = { stop };
    this.#filling = filling;
    signal?.addEventListener("abort", stop, { once: true });
    const isStopped = (): boolean => stopped;
    const end = (): void => {
      signal?.removeEventListener("abort", stop);
      if (this.#filling === filling) this.#filling = undefined;
    };
    // An embedder that is disposed of ends it: nobody waits for it.
    this.#fill(isStopped, keep, onProgress ?? (() => undefined)).then(end, end);
  }

  async #fill(isStopped: () => boolean, keep: boolean, onProgress: (progress: IndexProgress) => void): Promise<void> {
    for (;;) {
      if (this.#asking > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
      if (isStopped()) return;
      if (this.#asking > 0) continue;
      const onStage = ({ done, total }: AskStage): void => {
        if (!isStopped()) onProgress({ done, total });
      };
      const call = this.#connection.call({ type: "index-fill", keep }, { onStage });
      this.#call = call;
      const answer = await call.answer.then(
        (progress) => progress as IndexProgress & { readonly more: boolean },
        (error: unknown) => {
          // Paused before it began.
          if ((error as { code?: unknown }).code === "ERR_ABORTED") return undefined;
          throw error;
        },
      );
      if (this.#call === call) this.#call = undefined;
      if (answer === undefined || answer.more) continue;
      if (!isStopped()) onProgress({ done: answer.done, total: answer.total });
      return;
    }
  }
}

function identityOf(documents: readonly SentencesOf[]): string {
  return documents.map(({ key, sentences }) => `${key} ${sentences}`).join("\n");
}

/** Waits, unless the signal says to leave. */
async function unlessAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) {
    await promise;
    return;
  }
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      reject(abortError(signal));
    };
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
