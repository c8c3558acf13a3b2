// Questions about documents: what the worker does of it. The core has the passages that it was given last, and a question.

import type { Answer, AskOpened, AskRequest, AskStage, NamedText, SentencesOf } from "./ask.js";
import type { AskApi } from "./engine.js";
import { abortError } from "./errors.js";
import type { GenerateRequest, Prompt } from "./protocol.js";

/** Writes a free answer. */
export type Write = (request: GenerateRequest) => Promise<string>;

/** What the core is asked for at the start: `free` gives a prompt, or a message for a model that chats, `extract` the number of passages. */
interface Started {
  readonly total: number;
  readonly prompt: string | null;
  readonly message: string | null;
  readonly maxTokens: number;
  readonly stop: string;
}

/** The worker's documents. */
export class AskHost {
  readonly #engine: AskApi;
  #open: { readonly documents: readonly NamedText[]; readonly sentences: readonly SentencesOf[] } | undefined;

  constructor(engine: AskApi) {
    this.#engine = engine;
  }

  /** Cuts the documents; what an embedder is to know of them, where there is one. */
  open(documents: readonly NamedText[], question: string, embeds: boolean): AskOpened {
    const sentences = this.#cut(documents, question);
    return { documents: sentences, first: embeds ? this.#engine.askFirst(question) : new Uint32Array() };
  }

  /** The sentences of a document. */
  sentences(documents: readonly NamedText[], question: string, document: number): readonly string[] {
    this.#cut(documents, question);
    return JSON.parse(this.#engine.askSentences(document)) as string[];
  }

  /** Cuts the documents, unless they are those of the last time. */
  #cut(documents: readonly NamedText[], question: string): readonly SentencesOf[] {
    const open = this.#open;
    if (open?.documents.length === documents.length && open.documents.every(({ title, text }, at) => title === documents[at]?.title && text === documents[at].text)) {
      this.#engine.askCheck(question);
      return open.sentences;
    }
    this.#open = undefined;
    this.#engine.askCheck(question);
    const segmenter = new Intl.Segmenter("en", { granularity: "sentence" });
    const cut = documents.map(({ title, text }) => {
      const ends: number[] = [];
      for (const { index, segment } of segmenter.segment(this.#engine.askView(text))) ends.push(index + segment.length);
      return { title, text, ends };
    });
    const known = JSON.parse(this.#engine.askOpen(JSON.stringify(cut))) as Omit<SentencesOf, "title">[];
    const sentences = known.map((of, at) => ({ ...of, title: documents[at]?.title ?? "" }));
    this.#open = { documents, sentences };
    return sentences;
  }

  /** Answers. */
  async ask(request: AskRequest, signal: AbortSignal, onStage: (stage: AskStage) => void, write: Write): Promise<Answer> {
    this.#cut(request.documents, request.question);
    const { question, mode, maxTokens } = request;
    // JSON has `null` for what is not a number: a sentence without a vector.
    const similarities = request.similarities && Array.from(request.similarities);
    onStage({ stage: "search", done: 0, total: 1 });
    const started = JSON.parse(this.#engine.askStart(JSON.stringify({ question, similarities, mode }))) as Started;
    onStage({ stage: "search", done: 1, total: 1 });
    const prompt = promptOf(started);
    if (prompt !== undefined) {
      onStage({ stage: "answer", done: 0, total: 1 });
      const said = await write({ ...prompt, maxTokens: maxTokens ?? started.maxTokens, temperature: 0 });
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

function promptOf({ prompt, message, stop }: Started): (Prompt & { readonly stop?: string[] }) | undefined {
  if (message !== null) return { messages: [{ role: "user", content: message }] };
  return prompt === null ? undefined : { prompt, stop: [stop] };
}
