// Questions about documents: what the worker does of it. The core has the passages that it was given last, and a question.

import type { Answer, AskRequest, AskStage } from "./ask.js";
import type { AskApi } from "./engine.js";
import { abortError } from "./errors.js";

/** What a free answer is written with. */
export type Write = (request: { prompt: string; maxTokens: number; temperature: number; stop: string[] }) => Promise<string>;

/** What the core is asked for at the start: `free` gives a prompt, `extract` the number of passages. */
interface Started {
  readonly total: number;
  readonly prompt: string | null;
  readonly maxTokens: number;
  readonly stop: string;
}

/** The worker's documents. */
export class AskHost {
  readonly #engine: AskApi;
  #open: { readonly documents: readonly string[]; readonly sentences: readonly (readonly string[])[] } | undefined;

  constructor(engine: AskApi) {
    this.#engine = engine;
  }

  /** Cuts the documents, unless they are those of the last time; the sentences of each. */
  open(documents: readonly string[], question: string): readonly (readonly string[])[] {
    const open = this.#open;
    if (open?.documents.length === documents.length && open.documents.every((text, at) => text === documents[at])) {
      this.#engine.askCheck(question);
      return open.sentences;
    }
    this.#open = undefined;
    this.#engine.askCheck(question);
    const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });
    const cut = documents.map((text) => {
      const ends: number[] = [];
      for (const { index, segment } of segmenter.segment(this.#engine.askLines(text))) ends.push(index + segment.length);
      return { text, ends };
    });
    const sentences = JSON.parse(this.#engine.askOpen(JSON.stringify(cut))) as string[][];
    this.#open = { documents, sentences };
    return sentences;
  }

  /** Answers. */
  async ask(request: AskRequest, signal: AbortSignal, onStage: (stage: AskStage) => void, write: Write): Promise<Answer> {
    this.open(request.documents, request.question);
    const { question, similarities, mode, maxTokens } = request;
    onStage({ stage: "search", done: 0, total: 1 });
    const started = JSON.parse(this.#engine.askStart(JSON.stringify({ question, similarities, mode }))) as Started;
    onStage({ stage: "search", done: 1, total: 1 });
    if (started.prompt !== null) {
      onStage({ stage: "answer", done: 0, total: 1 });
      const wanted = { prompt: started.prompt, maxTokens: maxTokens ?? started.maxTokens, temperature: 0, stop: [started.stop] };
      const said = await write(wanted);
      onStage({ stage: "answer", done: 1, total: 1 });
      return JSON.parse(this.#engine.askSupport(said)) as Answer;
    }
    for (let done = 0; done < started.total; ) {
      onStage({ stage: "read", done, total: started.total });
      done = await this.#engine.askStep();
      if (signal.aborted) throw abortError(signal);
    }
    onStage({ stage: "read", done: started.total, total: started.total });
    const answer = JSON.parse(this.#engine.askAnswer()) as Answer;
    onStage({ stage: "answer", done: 1, total: 1 });
    return answer;
  }
}
