// The small extractive model of `tests/fixtures/qa/span_reader.json`, as `tests/tools/bert_qa.py` makes it: weights from a hash of
// their places.

import { readFileSync } from "node:fs";

import { inRepository } from "./paths.mjs";

const { config, words, tensors, text, items } = JSON.parse(readFileSync(inRepository("tests/fixtures/qa/span_reader.json"), "utf8"));

/** The text, and questions with the spans that an independent forward pass gives. */
export const reading = { text, items };

function weight(element, tensor) {
  let x = (element * 7919 + tensor * 1_000_003 + 12_345) >>> 0;
  x = Math.imul(x, 2_654_435_761) >>> 0;
  x = (x ^ (x >>> 15)) >>> 0;
  x = Math.imul(x, 2_246_822_519) >>> 0;
  x = (x ^ (x >>> 13)) >>> 0;
  return x / 2 ** 32 - 0.5;
}

function safetensors() {
  const header = {};
  const numbers = [];
  for (const [index, { name, shape, scale, offset }] of tensors.entries()) {
    const begin = numbers.length * 4;
    const elements = shape.reduce((product, size) => product * size, 1);
    for (let element = 0; element < elements; element++) numbers.push(weight(element, index) * scale + offset);
    header[name] = { dtype: "F32", shape, data_offsets: [begin, numbers.length * 4] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.from(Float32Array.from(numbers).buffer)]);
}

function tokenizer() {
  const added = words.slice(0, 4).map((content, id) => ({ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false }));
  return {
    added_tokens: added,
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(words.map((word, id) => [word, id])),
    },
  };
}

/** The model's three files, the weights in base64. */
export function spanReaderFiles() {
  return { model: safetensors().toString("base64"), config: JSON.stringify(config), tokenizer: JSON.stringify(tokenizer()) };
}
