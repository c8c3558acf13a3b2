// OpenAI's JSON in and out. Its shapes are compared with the npm package `openai` by test/types/openai.ts; here are the values.

import assert from "node:assert/strict";
import { test } from "node:test";

import { chatCompletion } from "../modules/openai.js";
import { fakeChat, piece } from "./fake_chat.js";

const messages = [{ role: "user", content: "Hello" }];

const code = (expected, words = /./) => (error) => {
  assert.equal(error.code, expected, error.stack);
  assert.match(error.message, words);
  return true;
};

async function collect(chunks) {
  const all = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

test("an answer in one piece has OpenAI's fields", async () => {
  const { model } = fakeChat({ stats: { cachedTokens: 4 } });
  const before = Math.floor(Date.now() / 1000);
  const { id, created, ...rest } = await chatCompletion(model, { messages });
  assert.match(id, /^chatcmpl-[0-9a-f]{24}$/);
  assert.ok(created >= before && created <= Date.now() / 1000);
  assert.deepEqual(rest, {
    object: "chat.completion",
    model: "Fake 1B",
    choices: [{ index: 0, message: { role: "assistant", content: "Hello!", refusal: null }, logprobs: null, finish_reason: "stop" }],
    usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15, prompt_tokens_details: { cached_tokens: 4 } },
  });
});

test("how an answer ended is said in OpenAI's words", async () => {
  for (const [reason, expected] of Object.entries({ stop: "stop", stop_text: "stop", length: "length", context: "length" })) {
    const { choices } = await chatCompletion(fakeChat({ stats: { reason } }).model, { messages });
    assert.equal(choices[0].finish_reason, expected);
  }
});

test("every option arrives under our own name", async () => {
  const { model, log } = fakeChat();
  const { signal } = new AbortController();
  const request = {
    messages,
    model: "gpt-whatever",
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    min_p: 0.05,
    repetition_penalty: 1.1,
    frequency_penalty: 0.2,
    presence_penalty: 0.3,
    max_completion_tokens: 7,
    max_tokens: 99,
    logit_bias: { 5: -100 },
    seed: 42,
    stop: "\n",
    logprobs: true,
    top_logprobs: 3,
    user: "someone",
  };
  await chatCompletion(model, request, { signal });
  assert.deepEqual(log.options, {
    temperature: 0.5,
    topP: 0.9,
    topK: 40,
    minP: 0.05,
    repetitionPenalty: 1.1,
    frequencyPenalty: 0.2,
    presencePenalty: 0.3,
    maxTokens: 7,
    logitBias: { 5: -100 },
    seed: 42,
    stop: ["\n"],
    logprobs: 3,
    signal,
  });
  await chatCompletion(model, { messages, stop: ["a", "b"], max_tokens: 9 });
  assert.deepEqual(log.options.stop, ["a", "b"]);
  assert.equal(log.options.maxTokens, 9);
});

test("any whole number of 64 bits is a seed", async () => {
  const { model, log } = fakeChat();
  for (const seed of [0, 7, -1, -(2 ** 53), 2 ** 62, -(2n ** 63n), 2n ** 63n - 1n]) {
    await chatCompletion(model, { messages, seed });
    assert.equal(log.options.seed, seed);
  }
});

test("what is left out is as with OpenAI: temperature 1, and a seed that differs", async () => {
  const { model, log } = fakeChat();
  const seeds = new Set();
  for (let i = 0; i < 5; i++) {
    await chatCompletion(model, { messages, temperature: null, stop: null, seed: null });
    const { seed, ...rest } = log.options;
    assert.deepEqual(rest, { temperature: 1 });
    assert.ok(Number.isSafeInteger(seed) && seed >= 0);
    seeds.add(seed);
  }
  assert.ok(seeds.size > 1);
});

test("messages are text: parts are joined, developers speak as the system", async () => {
  const { model, log } = fakeChat();
  await chatCompletion(model, {
    messages: [
      { role: "developer", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "A" }, { type: "text", text: "B" }] },
      { role: "assistant", content: null },
      { role: "user", content: "C" },
    ],
  });
  assert.deepEqual(log.messages, [
    { role: "system", content: "Be brief." },
    { role: "user", content: "AB" },
    { role: "assistant", content: "" },
    { role: "user", content: "C" },
  ]);
});

test("log-probabilities come with each token, its bytes and its alternatives", async () => {
  const { model } = fakeChat({ pieces: [piece(1, "é"), piece(2, "\uFFFD")] });
  const { choices } = await chatCompletion(model, { messages, logprobs: true, top_logprobs: 3 });
  const [first, second] = choices[0].logprobs.content;
  assert.deepEqual({ ...first, top_logprobs: first.top_logprobs.length }, { token: "é", bytes: [0xc3, 0xa9], logprob: -0.25, top_logprobs: 3 });
  assert.deepEqual(first.top_logprobs[1], { token: " is", bytes: [32, 105, 115], logprob: -1.5 });
  assert.equal(second.bytes, null, "a part of a character");
  // Without alternatives the token's own text is still known, also where its piece has none yet.
  const held = { ...piece(7, "fox"), text: "" };
  const alone = await chatCompletion(fakeChat({ pieces: [held] }).model, { messages, logprobs: true });
  assert.deepEqual(alone.choices[0].logprobs.content, [{ token: "fox", bytes: [102, 111, 120], logprob: -0.25, top_logprobs: [] }]);
});

test("chunks: the role, the text, the end, and the usage where it is asked for", async () => {
  const { model } = fakeChat({ pieces: [piece(1, "Hel"), piece(4, ""), piece(2, "lo"), { id: null, text: "!", logprob: null, top: [] }] });
  const chunks = await collect(chatCompletion(model, { messages, stream: true, stream_options: { include_usage: true } }));
  assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
  assert.ok(chunks.every(({ object, model }) => object === "chat.completion.chunk" && model === "Fake 1B"));
  assert.deepEqual(chunks.map(({ choices }) => choices[0]?.delta), [
    { role: "assistant", content: "" },
    { content: "Hel" },
    { content: "lo" },
    { content: "!" },
    {},
    undefined,
  ]);
  assert.deepEqual(chunks.map(({ choices }) => choices[0]?.finish_reason), [null, null, null, null, "stop", undefined]);
  assert.deepEqual(chunks.map(({ usage }) => usage?.total_tokens ?? null), [null, null, null, null, null, 15]);
  const plain = await collect(chatCompletion(model, { messages, stream: true }));
  assert.ok(plain.every((chunk) => !("usage" in chunk)));
  assert.equal(plain.at(-1).choices[0].finish_reason, "stop");
});

test("chunks carry log-probabilities, also of a token whose text is held back", async () => {
  const pieces = [{ ...piece(7, "fox"), text: "" }, piece(2, "es")];
  const chunks = await collect(chatCompletion(fakeChat({ pieces }).model, { messages, stream: true, logprobs: true, top_logprobs: 1 }));
  const tokens = chunks.flatMap(({ choices }) => choices[0].logprobs?.content ?? []).map(({ token, top_logprobs: top }) => [token, top.length]);
  assert.deepEqual(tokens, [["fox", 1], ["es", 1]]);
});

test("a stream may be awaited first, as OpenAI's own, and ends the answer when it is left", async () => {
  const { model, log } = fakeChat();
  for await (const { choices } of await chatCompletion(model, { messages, stream: true })) {
    if (choices[0].delta.content === "Hel") break;
  }
  assert.equal(log.given, 1);
  assert.ok(log.left);
});

test("an abort ends both kinds", async () => {
  for (const stream of [true, false]) {
    const { model } = fakeChat();
    const controller = new AbortController();
    const run = async () => {
      const answer = chatCompletion(model, { messages, stream }, { signal: controller.signal });
      controller.abort();
      return stream ? await collect(answer) : await answer;
    };
    await assert.rejects(run(), (error) => error.name === "AbortError" && code("ERR_ABORTED")(error));
  }
});

test("what cannot be served is refused before any work, by name", async () => {
  const cases = [
    [{ n: 2 }, "ERR_UNSUPPORTED", /^n: expected 1, got 2/],
    [{ response_format: { type: "json_schema", json_schema: {} } }, "ERR_UNSUPPORTED", /^response_format/],
    [{ tools: [{ type: "function" }] }, "ERR_UNSUPPORTED", /^tools/],
    [{ tool_choice: "required" }, "ERR_UNSUPPORTED", /^tool_choice/],
    [{ functions: [{}] }, "ERR_UNSUPPORTED", /^functions/],
    [{ modalities: ["text", "audio"] }, "ERR_UNSUPPORTED", /^modalities/],
    [{ audio: { voice: "x" } }, "ERR_UNSUPPORTED", /^audio/],
    [{ best_of: 3 }, "ERR_BAD_ARGUMENT", /^best_of: this parameter is not known/],
    [{ top_logprobs: 2 }, "ERR_BAD_ARGUMENT", /^top_logprobs: needs/],
    [{ logprobs: true, top_logprobs: 21 }, "ERR_BAD_ARGUMENT", /0 to 20, got 21/],
    [{ seed: 1.5 }, "ERR_BAD_ARGUMENT", /^seed/],
    [{ seed: "7" }, "ERR_BAD_ARGUMENT", /^seed/],
    [{ messages: [] }, "ERR_BAD_ARGUMENT", /^messages: expected at least one/],
    [{ messages: [{ role: "tool", content: "4" }] }, "ERR_UNSUPPORTED", /^messages\[0\]: role tool/],
    [{ messages: [{ role: "king", content: "4" }] }, "ERR_BAD_ARGUMENT", /got king/],
    [{ messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] }, "ERR_UNSUPPORTED", /image_url/],
    [{ messages: [{ role: "assistant", tool_calls: [{}] }] }, "ERR_UNSUPPORTED", /no tools/],
  ];
  for (const [request, expected, words] of cases) {
    const { model, log } = fakeChat();
    await assert.rejects(chatCompletion(model, { messages, ...request }), code(expected, words));
    await assert.rejects(collect(chatCompletion(model, { messages, stream: true, ...request })), code(expected, words));
    assert.equal(log.messages, undefined);
  }
});

test("what clients send without meaning it is taken", async () => {
  const harmless = { n: 1, tools: [], tool_choice: "auto", response_format: { type: "text" }, modalities: ["text"], store: false, metadata: {} };
  assert.equal((await chatCompletion(fakeChat().model, { messages, ...harmless })).choices[0].message.content, "Hello!");
});

test("an error in the middle of an answer is passed on", async () => {
  const lost = Object.assign(new Error("the GPU went away"), { code: "ERR_DEVICE_LOST" });
  const pieces = [piece(1, "Hel"), lost];
  await assert.rejects(chatCompletion(fakeChat({ pieces }).model, { messages }), code("ERR_DEVICE_LOST"));
  const chunks = chatCompletion(fakeChat({ pieces }).model, { messages, stream: true });
  assert.equal((await chunks.next()).value.choices[0].delta.role, "assistant");
  assert.equal((await chunks.next()).value.choices[0].delta.content, "Hel");
  await assert.rejects(chunks.next(), code("ERR_DEVICE_LOST"));
});
