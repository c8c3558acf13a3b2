// The part of the fake core that knows documents: a sentence is a line, its vector its length, and a question needs the sentences that
// hold one of its words.

class CodedError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const keyOf = (sentences) => {
  let hash = 7;
  for (const c of sentences.join("\n")) hash = (hash * 31 + c.codePointAt(0)) % 2 ** 32;
  return hash.toString(16).padStart(16, "0");
};

/** `AskApi` and `IndexApi`. */
export function fakeDocuments({ log, hold, hear, reset, stepMs }) {
  let documents = [];
  let asked;
  let open = [];
  const shelf = new Map();
  log.embedded = [];
  log.opened = 0;
  log.taken = 0;

  const place = (sentence) => {
    for (const document of open) {
      if (sentence < document.sentences) return [document, sentence];
      sentence -= document.sentences;
    }
    return [];
  };
  const all = () => open.flatMap((document) => Array.from({ length: document.sentences }, (_, at) => [document, at]));
  const missing = () => all().flatMap(([document, at], sentence) => (document.rows.has(at) ? [] : [sentence]));

  return {
    askCheck(question) {
      if (question.trim() === "") throw new CodedError("ERR_EMPTY_QUESTION", "the question is empty");
    },
    askView: (text) => text,
    askOpen(json) {
      log.opened++;
      documents = JSON.parse(json).map(({ text }) => text.split("\n"));
      return JSON.stringify(documents.map((sentences) => ({ key: keyOf(sentences), sentences: sentences.length })));
    },
    askSentences: (document) => JSON.stringify(documents[document]),
    askFirst(question) {
      const sentences = documents.flat();
      const found = sentences.flatMap((sentence, at) => (question.split(" ").some((word) => sentence.includes(word)) ? [at] : []));
      return Uint32Array.from(found);
    },
    askStart(json) {
      asked = JSON.parse(json);
      log.similarities = asked.similarities;
      reset();
      return JSON.stringify({ total: 2, prompt: null, message: null, maxTokens: 1, stop: "" });
    },
    askStep: () =>
      hold(async () => {
        await new Promise((resolve) => setTimeout(resolve, stepMs));
        hear();
        return (asked.read = (asked.read ?? 0) + 1);
      }),
    askAnswer: () => JSON.stringify({ answer: `to ${asked.question}`, confidence: 1, nullScore: 0, spans: [], passages: [], alternatives: [] }),

    indexOpen(json) {
      for (const document of open) shelf.set(document.key, document);
      open = JSON.parse(json).map(({ key, sentences }) => shelf.get(key) ?? { key, sentences, rows: new Map(), texts: undefined });
      return "00000000000000ee";
    },
    indexState: () => JSON.stringify(open.map(({ rows, texts }) => ({ done: rows.size, texts: texts !== undefined }))),
    indexTake(document, bytes) {
      const text = new TextDecoder().decode(bytes);
      const [key, ...rows] = text.split(" ");
      if (key !== open[document].key || rows.pop() !== "end") throw new CodedError("ERR_BAD_ARGUMENT", "kept index: expected another");
      log.taken++;
      open[document].rows = new Map(rows.map((row) => row.split(":").map(Number)));
    },
    indexTexts(document, json) {
      const texts = JSON.parse(json);
      if (keyOf(texts) !== open[document].key) throw new CodedError("ERR_BAD_ARGUMENT", "sentences: of another document");
      open[document].texts = texts;
    },
    indexLacking: (sentences) => sentences.filter((sentence) => !place(sentence)[0].rows.has(place(sentence)[1])),
    indexNext: () => Uint32Array.from(missing().slice(0, 8)),
    indexEmbed: (sentences) =>
      hold(async () => {
        reset();
        await new Promise((resolve) => setTimeout(resolve, stepMs));
        hear();
        for (const sentence of sentences) {
          const [document, at] = place(sentence);
          log.embedded.push(sentence);
          document.rows.set(at, document.texts[at].length);
        }
      }),
    indexProgress: () => Uint32Array.of(all().length - missing().length, all().length),
    indexCompare: (question) =>
      hold(async () => {
        reset();
        return Float32Array.from(all(), ([document, at]) => document.rows.get(at) ?? NaN).map((x) => x * question.length);
      }),
    indexBytes: (document) =>
      new TextEncoder().encode([open[document].key, ...[...open[document].rows].map((row) => row.join(":")), "end"].join(" ")),
  };
}
