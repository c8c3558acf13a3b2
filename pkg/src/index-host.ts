// The vectors of documents: what an embedder's worker does of questions that another worker answers. The core has the documents that
// were opened last; sentences are counted through them.

import type { AskStage, IndexProgress, SentencesOf } from "./ask.js";
import type { IndexApi } from "./engine.js";
import { abortError } from "./errors.js";
import { indexName, readIndex, writeIndex } from "./kept-indexes.js";

/** Sentences of a question that are embedded at once: a step of the progress. */
const BATCH = 32;

/** Documents of fewer sentences are not kept: they are embedded as soon as read. */
const LEAST_KEPT = 512;

/** Whoever closes the page meanwhile loses the work on so many sentences. */
const SAVE_EVERY = 768;

/** What the core says of a document that it has opened. */
interface Embedded {
  readonly done: number;
  /** Whether its sentences are there. */
  readonly texts: boolean;
}

/** The documents of an embedder's worker. */
export class IndexHost {
  readonly #engine: IndexApi;
  readonly #openStore: () => Promise<FileSystemDirectoryHandle | undefined>;
  readonly #breathe: () => Promise<void>;
  #open: readonly SentencesOf[] = [];
  #identity = "";
  /** Sentences of a document, by its key, when it was last kept. */
  readonly #saved = new Map<string, number>();
  /** Writes follow one another, and nobody waits for them. */
  #writing: Promise<void> = Promise.resolve();

  constructor(engine: IndexApi, openStore: () => Promise<FileSystemDirectoryHandle | undefined>, breathe: () => Promise<void>) {
    this.#engine = engine;
    this.#openStore = openStore;
    this.#breathe = breathe;
  }

  /** Opens documents in place of those that were, with what is kept of them; those whose sentences are still needed. */
  async open(documents: readonly SentencesOf[], keep: boolean): Promise<number[]> {
    this.#identity = this.#engine.indexOpen(JSON.stringify(documents.map(({ key, sentences }) => ({ key, sentences }))));
    this.#open = documents;
    for (const [at, { done }] of this.#state().entries()) {
      const document = documents[at];
      if (keep && done === 0 && document !== undefined && document.sentences > LEAST_KEPT) await this.#read(at, document.key);
    }
    const lacks = ({ done, texts }: Embedded, at: number): boolean => !texts && done < (documents[at]?.sentences ?? 0);
    return this.#state().flatMap((state, at) => (lacks(state, at) ? [at] : []));
  }

  /** Takes the sentences of a document. */
  give(document: number, sentences: readonly string[]): void {
    this.#engine.indexTexts(document, JSON.stringify(sentences));
  }

  /** Embeds those of some sentences that are not embedded yet, and compares all that are with the question. */
  async compare(question: string, first: Uint32Array, signal: AbortSignal, onStage: (stage: AskStage) => void): Promise<Float32Array> {
    const lacking = this.#engine.indexLacking(first);
    for (let done = 0; done < lacking.length; done += BATCH) {
      onStage({ stage: "embed", done, total: lacking.length });
      await this.#engine.indexEmbed(lacking.subarray(done, done + BATCH));
      await this.#breathe();
      if (signal.aborted) throw abortError(signal);
    }
    onStage({ stage: "embed", done: lacking.length, total: lacking.length });
    return await this.#engine.indexCompare(question);
  }

  /** Embeds the rest, until the signal says that something else is to be done. */
  async fill(keep: boolean, signal: AbortSignal, onStage: (stage: AskStage) => void): Promise<IndexProgress & { readonly more: boolean }> {
    let since = 0;
    let more = true;
    const stopped = (): boolean => signal.aborted;
    while (!stopped()) {
      const next = this.#engine.indexNext();
      more = next.length > 0;
      if (!more) break;
      try {
        await this.#engine.indexEmbed(next);
      } catch (error) {
        if (stopped()) break;
        throw error;
      }
      onStage({ stage: "embed", ...this.#progress() });
      since += next.length;
      if (keep && since >= SAVE_EVERY) {
        this.#save();
        since = 0;
      }
      await this.#breathe();
    }
    // Also what an answer needed; a pause is followed by the rest.
    if (keep && !more) this.#save();
    return { ...this.#progress(), more };
  }

  #progress(): IndexProgress {
    const [done = 0, total = 0] = this.#engine.indexProgress();
    return { done, total };
  }

  async #read(document: number, key: string): Promise<void> {
    const name = indexName(this.#identity, key);
    try {
      await this.#writing;
      const root = await this.#openStore();
      const kept = root === undefined ? undefined : await readIndex(root, name);
      if (kept === undefined) return;
      this.#engine.indexTake(document, kept.bytes);
      this.#saved.set(key, this.#state()[document]?.done ?? 0);
      if (kept.stale) this.#write(name, kept.bytes);
    } catch {
      // No store here, or a file that is damaged: it is made anew, and written over.
    }
  }

  #state(): readonly Embedded[] {
    return JSON.parse(this.#engine.indexState()) as Embedded[];
  }

  /** Keeps what has come to long documents since the last time. */
  #save(): void {
    const state = this.#state();
    for (const [at, { key, sentences, title }] of this.#open.entries()) {
      const done = state[at]?.done ?? 0;
      if (sentences <= LEAST_KEPT || done <= (this.#saved.get(key) ?? 0)) continue;
      this.#saved.set(key, done);
      this.#write(indexName(this.#identity, key), this.#engine.indexBytes(at, title));
    }
  }

  #write(name: string, bytes: Uint8Array): void {
    this.#writing = this.#writing.then(async () => {
      try {
        const root = await this.#openStore();
        if (root !== undefined) await writeIndex(root, name, bytes);
      } catch {
        // A private window, a full disk: answers need none of it.
      }
    });
  }
}
