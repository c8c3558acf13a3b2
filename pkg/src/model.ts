import { type ChatMessage, checkMessages } from "./chat.js";
import { type Answer, ask, type AskOptions } from "./ask.js";
import { type Call, type Connection, connects } from "./connection.js";
import { checkName } from "./conversations.js";
import { abortError, RushlightError } from "./errors.js";
import { fileSource } from "./file-source.js";
import { leavable } from "./leaving.js";
import { plainData, text, texts as textList } from "./plain.js";
import type { GenerateRequest, Prompt } from "./protocol.js";
import { seedBits } from "./seed.js";
import type { CallOptions, ChatOptions, EmbedOptions, GenerateOptions, GenerateStats, MemoryUse, ModelInfo, Piece } from "./types.js";

/** A loaded model. It lives in a worker of its own, so that the page never waits for it. */
export class Model {
  readonly #connection: Connection;
  /** What was loaded, what runs it, and why. */
  readonly info: ModelInfo;

  /** Use `loadModel`. */
  constructor(connection: Connection, info: ModelInfo) {
    this.#connection = connection;
    connects(this, connection);
    this.info = info;
  }

  /**
   * Continues the prompt. The work begins with the first step of the loop and ends when the loop is left; while another
   * answer is being written, it waits for its turn.
   */
  generate(prompt: string, options: GenerateOptions = {}): Generation {
    return new Generation(this.#connection, { prompt }, options);
  }

  /**
   * Answers the last of some messages, by the chat template that the model's file brings (`info.chat` says whether it does). Give
   * the whole conversation each time: of one that goes on, only what is new takes work.
   */
  chat(messages: readonly ChatMessage[], { overflow = "error", ...options }: ChatOptions = {}): Generation {
    return new Generation(this.#connection, { messages: checkMessages(messages), overflow }, options);
  }

  /**
   * The vectors of some texts, each of length 1, in their order: the product of two says how alike their texts are. A text of more
   * than `info.context` tokens is cut. Only for models that make embeddings.
   */
  async embed(texts: readonly string[], { signal }: EmbedOptions = {}): Promise<Float32Array[]> {
    return (await this.#connection.ask({ type: "embed", texts: textList(texts, "texts") }, signal)) as Float32Array[];
  }

  /**
   * Keeps the conversation so far under a name, in the browser's private files of this origin: its tokens and their KV cache. One
   * of the same name is replaced when all of the new one is there, not before. `conversations` lists and deletes what is kept.
   */
  async save(name: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.ask({ type: "save", name: checkName(name) }, signal);
  }

  /**
   * Takes up a conversation that `save` kept: an answer to what begins with it takes work only for what is new. `false` where there
   * is none of this name; one of another model is refused (`ERR_OTHER_MODEL`).
   */
  async restore(name: string, { signal }: CallOptions = {}): Promise<boolean> {
    return (await this.#connection.ask({ type: "restore", from: { name: checkName(name) } }, signal)) as boolean;
  }

  /**
   * As `restore`, from a file: what `rushlight prefix` computed natively of a text that prompts will begin with. One from an address
   * is kept as the model is.
   */
  async restoreFrom(from: string | URL | Blob, { signal }: CallOptions = {}): Promise<void> {
    await this.#connection.ask({ type: "restore", from: fileSource(from) }, signal);
  }

  /**
   * Answers a question about documents by a stretch of them, with its exact place, or says that they have none. An `embedder` finds
   * what the question says in other words; of long documents it makes the vectors that the question does not need in the background
   * (`index`), and keeps them.
   */
  async ask(question: string, options: AskOptions): Promise<Answer> {
    return await ask(this.#connection, question, options);
  }

  /** Token ids of a text, as the model would see it as a prompt. */
  async tokenize(input: string): Promise<number[]> {
    return (await this.#connection.ask({ type: "tokenize", text: text(input, "text") })) as number[];
  }

  /** The text of token ids. */
  async detokenize(ids: readonly number[]): Promise<string> {
    return (await this.#connection.ask({ type: "detokenize", ids: plainData(ids, "ids") as number[] })) as string;
  }

  /** Where the model's bytes are. Waits while an answer is being written. */
  async memory(): Promise<MemoryUse> {
    return (await this.#connection.ask({ type: "memory" })) as MemoryUse;
  }

  /** Ends the worker and with it everything that the model holds. */
  dispose(): void {
    this.#connection.close(new RushlightError("ERR_DISPOSED", "the model was disposed of"));
  }
}

/**
 * An answer as it is being written: loop over it once. Leaving the loop, `return` of its iterator and the signal end it at once; an
 * abort before the last piece was read is `ERR_ABORTED`, also where the model was already done.
 */
export class Generation implements AsyncIterable<Piece, GenerateStats, undefined> {
  readonly #pieces: AsyncGenerator<Piece, GenerateStats, undefined>;
  #stats: GenerateStats | undefined;

  /** Use `Model.generate` or `Model.chat`. */
  constructor(connection: Connection, prompt: Prompt, { signal, ...options }: GenerateOptions) {
    this.#pieces = leavable((heard, left) => this.#run(connection, prompt, options, heard, left), signal);
  }

  /** How it went, once the loop has come to its end. */
  get stats(): GenerateStats | undefined {
    return this.#stats;
  }

  /** For `for await`. */
  [Symbol.asyncIterator](): AsyncGenerator<Piece, GenerateStats, undefined> {
    return this.#pieces;
  }

  async *#run(
    connection: Connection,
    prompt: Prompt,
    options: Omit<GenerateOptions, "signal">,
    signal: AbortSignal,
    left: () => boolean,
  ): AsyncGenerator<Piece, GenerateStats, undefined> {
    if (signal.aborted) throw abortError(signal);
    const request = generateRequest(prompt, options);
    const arrived: Piece[] = [];
    let wake: () => void = () => undefined;
    let outcome: { readonly stats: GenerateStats } | { readonly error: unknown } | undefined;
    const end = (how: NonNullable<typeof outcome>): void => {
      outcome ??= how;
      wake();
    };
    const onPiece = (piece: Piece): void => {
      arrived.push(piece);
      wake();
    };
    const call: Call = connection.call({ type: "generate", request }, { onPiece });
    call.answer.then(
      (stats) => {
        end({ stats: stats as GenerateStats });
      },
      (error: unknown) => {
        end({ error });
      },
    );
    const abort = (): void => {
      // Whatever has arrived: an answer that lacks some of its pieces must not look like a whole one.
      arrived.length = 0;
      outcome = { error: abortError(signal) };
      wake();
      call.cancel();
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      for (;;) {
        for (let piece = arrived.shift(); piece !== undefined; piece = arrived.shift()) yield piece;
        if (outcome !== undefined) break;
        await new Promise<void>((resolve) => (wake = resolve));
      }
      if ("stats" in outcome) {
        this.#stats = outcome.stats;
        return outcome.stats;
      }
      // Nobody waits for how it ended.
      if (left()) return undefined as unknown as GenerateStats;
      throw outcome.error;
    } finally {
      signal.removeEventListener("abort", abort);
      // Left early, by a `break` or an exception in the loop: nobody waits for the rest.
      call.cancel();
    }
  }
}

function generateRequest(prompt: Prompt, { seed, ...options }: Omit<GenerateOptions, "signal">): GenerateRequest {
  const said = "prompt" in prompt ? { prompt: text(prompt.prompt, "prompt") } : prompt;
  const plain = plainData(options, "options") as Omit<GenerateOptions, "signal" | "seed">;
  // From JavaScript it may be `null`, as in OpenAI's requests.
  if (seed == null) return { ...plain, ...said };
  return { ...plain, seed: seedBits(seed), ...said };
}
