// A stand-in for the package, with its names and types, for tests of the page alone. What it does is set through `globalThis.scripted`;
// what it was asked for is written down there.

const script = {
  /** Where to wait for `release()`: "load" half-way, "prompt" before the first token, "answer" after some, "plan" before a forecast, "read" while passages are read. */
  hold: undefined,
  /** What the next call throws: `{ load: { code, message, status } }`, and `embedder`, `ask`, `generate`, `cache`. */
  fail: {},
  /** Whether the model's file has a chat template. */
  has: { chat: false },
  /** How many turns the next answers say were left out. */
  dropped: 0,
  files: [
    { url: "https://example.org/models/gemma-3-270m-q4_k_m.gguf", bytes: 253_113_024, complete: true, stored: 253_113_024, lastUsed: Date.now() - 7_200_000, etag: null },
    { url: "https://example.org/models/qwen3-0.6b-q8_0.gguf", bytes: 639_446_688, complete: false, stored: 210_763_776, lastUsed: Date.now() - 260_000_000, etag: null },
    ...[["model.safetensors", 90_868_376], ["tokenizer.json", 466_247], ["config.json", 612], ["1_Pooling/config.json", 190]].map(([name, bytes]) => (
      { url: `https://example.org/models/all-MiniLM-L6-v2/${name}`, bytes, complete: true, stored: bytes, lastUsed: Date.now() - 7_300_000, etag: null }
    )),
  ],
  /** What is kept of long documents. */
  indexes: [],
  /** Sentences that are gone through behind an answer; 0 for none. */
  behind: 0,
  /** Calls, in their order. */
  calls: [],
  release: () => undefined,
};
globalThis.scripted = script;

export class RushlightError extends Error {
  constructor(code, message, { status } = {}) {
    super(message);
    this.name = "RushlightError";
    this.code = code;
    this.status = status;
  }
}

const BYTES = 253_113_024;

const INFO = {
  backend: { kind: "cpu", device: "simd128, relaxed, 4 threads", software: false, reason: "the browser offers no WebGPU adapter", build: "full", threads: 4 },
  architecture: "gemma3",
  name: "Gemma 3 270M",
  context: 4096,
  dimensions: null,
  trainedContext: 32_768,
  vocabulary: 262_144,
  parameters: 268_098_176,
  kv: "f16",
  bytes: BYTES,
  cached: true,
  cacheReason: null,
  timings: { header: 12, tokenizer: 310, total: 1840 },
};

const MEMORY = { backend: "cpu", weights: 246_500_000, kv: 18_900_000, scratch: 9_400_000, tokenizer: 21_300_000, wasm: 318_700_000, wasmAfterHeader: 24_000_000 };

/** A text with the probability of each token and of others. */
const TEXT = [
  [" Paris", 0.71, [" Paris", 0.71], [" the", 0.09], [" a", 0.05], [" located", 0.03], [" one", 0.02], [" in", 0.01]],
  [",", 0.44, [".", 0.46], [",", 0.44], [" and", 0.04], ["\n", 0.02], [" -", 0.01], [":", 0.004]],
  [" a", 0.12, [" and", 0.31], [" which", 0.22], [" the", 0.19], [" a", 0.12], [" where", 0.05], [" with", 0.03]],
  [" city", 0.83, [" city", 0.83], [" place", 0.06], [" town", 0.04], [" metropolis", 0.02], [" capital", 0.01], [" beautiful", 0.01]],
  [" of", 0.38, [" that", 0.41], [" of", 0.38], [" with", 0.12], [" known", 0.02], [" in", 0.01], [" where", 0.01]],
  [" lanterns", 0.03, [" light", 0.36], [" love", 0.2], [" over", 0.06], [" art", 0.05], [" contrasts", 0.04], [" more", 0.04]],
  [".", 0.62, [".", 0.62], [" and", 0.2], [",", 0.12], [" that", 0.01], ["\n", 0.01], ["!", 0.003]],
  [" Its", 0.18, [" The", 0.25], [" It", 0.22], [" Its", 0.18], ["\n\n", 0.1], [" In", 0.03], [" A", 0.02]],
  [" streets", 0.29, [" streets", 0.29], [" name", 0.12], [" history", 0.11], [" river", 0.06], [" people", 0.04], [" museums", 0.03]],
  [" were", 0.21, [" are", 0.66], [" were", 0.21], [",", 0.06], [" have", 0.02], [" and", 0.01], [" still", 0.01]],
  [" lit", 0.04, [" once", 0.12], [" built", 0.09], [" lit", 0.04], [" paved", 0.04], [" named", 0.03], [" full", 0.03]],
  [" by", 0.56, [" by", 0.56], [" with", 0.28], [" up", 0.11], [" at", 0.02], [" in", 0.01], [" only", 0.01]],
  [" oil", 0.08, [" gas", 0.34], [" the", 0.14], [" oil", 0.08], [" lamps", 0.07], [" candles", 0.06], [" thousands", 0.03]],
  [" lamps", 0.93, [" lamps", 0.93], [" lanterns", 0.04], [" until", 0.01], [" and", 0.005], [",", 0.004], [" lights", 0.003]],
  [".", 0.52, [".", 0.52], [" until", 0.24], [",", 0.1], [" in", 0.05], [" and", 0.03], [" for", 0.01]],
];

/** Answers to questions about the page's own sample. */
const ANSWERS = {
  "When are dogs allowed?": ["from September to April", 0.87],
  "What must be done if the light fails?": ["call the harbour office on channel 12", 0.64],
  "How much water does the cistern hold?": ["4,000 litres", 0.93],
};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function check(signal) {
  if (signal?.aborted) throw new RushlightError("ERR_ABORTED", "the operation was aborted");
}

function failWhere(where) {
  const failure = script.fail[where];
  if (failure === undefined) return;
  delete script.fail[where];
  throw new RushlightError(failure.code, failure.message, failure);
}

/** Waits where the test holds, until it lets go or the signal ends it. */
async function holdAt(where, signal) {
  if (script.hold !== where) return;
  await new Promise((resolve) => {
    script.release = resolve;
    signal?.addEventListener("abort", resolve);
  });
  check(signal);
}

/** Addresses of models that make vectors. */
const EMBEDDERS = /MiniLM|minilm/;

/** Addresses of models that hold conversations. */
const TALKERS = /SmolLM2|talker/;

/** A source as the tests read it: of chosen files their names. */
function nameOf(from) {
  if (from instanceof File) return from.name;
  if (typeof from === "string") return from;
  return Object.fromEntries(Object.entries(from).map(([which, file]) => [which, file.webkitRelativePath || file.name]));
}

/** Where the package would fetch it from. */
const addressOf = (from) => (typeof from === "string" ? new URL(from, document.baseURI).href : undefined);

export async function loadModel(from, { signal, onProgress, ...options } = {}) {
  script.calls.push({ call: "loadModel", from: nameOf(from), address: addressOf(from), options });
  failWhere(EMBEDDERS.test(JSON.stringify(nameOf(from))) ? "embedder" : "load");
  for (let step = 0; step <= 20; step++) {
    check(signal);
    onProgress?.({ loaded: Math.round((BYTES * step) / 20), total: BYTES, cached: 0 });
    if (step === 9) await holdAt("load", signal);
    await pause(script.hold === "load" ? 100 : 5);
  }
  const talks = script.has.chat || TALKERS.test(JSON.stringify(nameOf(from)));
  const model = new Model({ ...INFO, ...(TALKERS.test(JSON.stringify(nameOf(from))) ? { name: "SmolLM2 135M Instruct", architecture: "llama" } : {}), chat: talks });
  model.ask = ask;
  return model;
}

class Model {
  constructor(info) {
    this.info = info;
  }
  generate(prompt, options) {
    return new Generation({ prompt }, options);
  }
  chat(messages, options) {
    return new Generation({ messages }, options, this);
  }
  async save(name) {
    script.calls.push({ call: "save", name });
    failWhere("save");
    sessionStorage.setItem(`scripted ${name}`, "saved");
  }
  async restore(name) {
    script.calls.push({ call: "restore", name });
    failWhere("restore");
    this.held = sessionStorage.getItem(`scripted ${name}`) !== null;
    return this.held;
  }
  async memory() {
    return MEMORY;
  }
  dispose() {}
}

class Generation {
  constructor(input, { signal, ...options } = {}, model = undefined) {
    script.calls.push({ call: "generate", input, options });
    this.signal = signal;
    this.options = options;
    this.input = input;
    this.model = model;
  }
  /** Of each message ten tokens; of a conversation that goes on, all but the last are there. */
  get prompt() {
    const { messages } = this.input;
    if (messages === undefined) return { promptTokens: 6, cachedTokens: 0 };
    return { promptTokens: messages.length * 10 + 3, cachedTokens: this.model.held ? (messages.length - 1) * 10 : 0 };
  }
  async *[Symbol.asyncIterator]() {
    failWhere("generate");
    await holdAt("prompt", this.signal);
    let tokens = 0;
    for (const [text, probability, ...others] of TEXT) {
      if (tokens === this.options.maxTokens) break;
      check(this.signal);
      await pause(15);
      const top = others.map(([other, share]) => ({ id: idOf(other), text: other, logprob: Math.log(share) }));
      const known = this.options.logprobs !== undefined;
      yield { id: idOf(text), text, logprob: known ? Math.log(probability) : null, top: known ? top.slice(0, this.options.logprobs) : [] };
      if (++tokens === 9) await holdAt("answer", this.signal);
    }
    this.stats = { reason: "stop", ...this.prompt, tokens, firstTokenMs: 84, prefillTokensPerSecond: 214.2, decodeTokensPerSecond: 31.4 };
    this.stats.droppedTurns = script.dropped;
    if (this.model !== undefined) this.model.held = true;
    return this.stats;
  }
}

function idOf(text) {
  return [...text].reduce((id, letter) => (id * 31 + letter.codePointAt(0)) % 262_144, 7);
}

async function ask(question, { documents, embedder, mode = "extract", signal, onStage, onPiece, index }) {
  script.calls.push({ call: "ask", question, mode, embedder: embedder !== undefined, documents });
  failWhere("ask");
  for (const [stage, total] of [["cut", 1], ["embed", 12], ["search", 1], ["read", 6], ["answer", 1]]) {
    for (let done = 0; done <= total; done++) {
      check(signal);
      onStage?.({ stage, done, total });
      if (stage === "read" && done === 3) await holdAt("read", signal);
      await pause(10);
    }
  }
  if (index !== undefined) void goThrough(index);
  const [text, confidence] = ANSWERS[question] ?? ["", 0.71];
  const document = documents.findIndex((each) => each.text.includes(text));
  const passages = paragraphs(documents[Math.max(0, document)].text, text).map((range, at) => ({ document: Math.max(0, document), ...range, score: 1 - at / 10 }));
  if (text === "") return { answer: "", confidence, nullScore: 0.71, spans: [], alternatives: [], passages };
  const span = (words, share) => {
    const start = documents[document].text.indexOf(words);
    return { document, start, end: start + words.length, text: words, confidence: share };
  };
  const answer = mode === "free" ? `It is said there: ${text}.` : text;
  if (mode === "free") {
    for (const piece of answer.match(/\S+\s*/g)) {
      onPiece?.({ id: 1, text: piece, logprob: null, top: [] });
      await pause(15);
    }
  }
  const alternatives = question.startsWith("When are dogs") ? [span("Friends may stay for no more than four nights", 0.06)] : [];
  return { answer, confidence, nullScore: 0.05, spans: [span(text, confidence)], alternatives, passages };
}

/** Paragraphs: the one with the words, and one more. */
function paragraphs(text, words) {
  const ranges = [];
  for (const { index, 0: paragraph } of text.matchAll(/[^\n]+/g)) {
    if (paragraph.length > 60 && (ranges.length === 0 || paragraph.includes(words))) ranges.push({ start: index, end: index + paragraph.length });
  }
  return ranges.slice(-2).reverse();
}

export async function plan(from, { signal, ...options } = {}) {
  script.calls.push({ call: "plan", from: nameOf(from), address: addressOf(from), options });
  failWhere("plan");
  if (options.context === 0) throw new RushlightError("ERR_BAD_ARGUMENT", "context: expected a whole number over 0, got 0");
  await holdAt("plan", signal);
  const gpu = options.backend === "gpu";
  const file = script.files.find(({ url }) => url === addressOf(from));
  return {
    ok: true,
    reason: "It fits into memory, and the whole context with it.",
    code: null,
    architecture: "gemma3",
    name: "Gemma 3 270M",
    quantisation: "Q4_K_M",
    parameters: 268_098_176,
    fileBytes: BYTES,
    fetchBytes: from instanceof File ? 0 : BYTES - (file?.stored ?? 0),
    memoryBytes: options.kv === "f32" ? 314_000_000 : 296_000_000,
    backend: gpu ? { kind: "gpu", device: "an adapter", reason: "it was asked for" } : { kind: "cpu", device: "4 threads", reason: "the browser offers no WebGPU adapter" },
    context: options.context ?? 4096,
    trainedContext: 32_768,
    chat: false,
    tokensPerSecond: gpu ? 61 : 29,
  };
}

export const conversations = {
  async list() {
    return [];
  },
  async delete(name) {
    script.calls.push({ call: "forget", name });
    sessionStorage.removeItem(`scripted ${name}`);
    return true;
  },
};

export const indexes = {
  async list() {
    return script.indexes;
  },
  async delete(name) {
    script.calls.push({ call: "indexes.delete", name });
    script.indexes = script.indexes.filter((index) => index.name !== name);
    return true;
  },
};

/** Goes through a long document behind its answer. */
async function goThrough({ signal, onProgress }) {
  for (let done = 0; done <= script.behind && script.behind > 0; done += 10) {
    if (signal.aborted) return void script.calls.push({ call: "stopped", done });
    onProgress({ done, total: script.behind });
    await pause(20);
  }
}

export const cache = {
  async list() {
    failWhere("cache");
    return script.files;
  },
  async delete(url) {
    script.files = script.files.filter((file) => file.url !== url);
    return true;
  },
  async persist() {
    return true;
  },
  async estimate() {
    return { usage: script.files.reduce((sum, { stored }) => sum + stored, 0), quota: 12_400_000_000 };
  },
};
