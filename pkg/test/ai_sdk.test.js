// The AI SDK's own functions on top of the adapter, and a model that needs no wasm below it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { generateText, streamText, wrapLanguageModel } from "ai";

import { rushlight } from "../modules/ai-sdk.js";
import { fakeChat, piece } from "./fake_chat.js";

// The SDK prints its warnings; the tests read them.
globalThis.AI_SDK_LOG_WARNINGS = false;

test("generateText: the text, how it ended, what it took", async () => {
  const { model, log } = fakeChat({ stats: { reason: "length", cachedTokens: 4 } });
  const result = await generateText({ model: rushlight(model), system: "Be brief.", prompt: "Hello" });
  assert.equal(result.text, "Hello!");
  assert.equal(result.finishReason, "length");
  assert.equal(result.rawFinishReason, "length");
  const { inputTokens, outputTokens, totalTokens, inputTokenDetails } = result.usage;
  assert.deepEqual([inputTokens, outputTokens, totalTokens, inputTokenDetails.cacheReadTokens], [12, 3, 15, 4]);
  assert.equal(result.response.modelId, "Fake 1B");
  assert.equal(result.providerMetadata.rushlight.decodeTokensPerSecond, 50);
  assert.deepEqual(result.warnings ?? [], []);
  assert.deepEqual(log.messages, [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hello" },
  ]);
});

test("settings arrive under our own names, and none that was not given", async () => {
  const { model, log } = fakeChat();
  const settings = { maxOutputTokens: 9, temperature: 0.5, topP: 0.9, topK: 40, presencePenalty: 0.1, frequencyPenalty: 0.2, seed: 7 };
  const providerOptions = { rushlight: { minP: 0.05, repetitionPenalty: 1.1, beams: 4 } };
  const { warnings } = await generateText({ model: rushlight(model), prompt: "Hello", ...settings, stopSequences: ["\n"], providerOptions });
  const { maxOutputTokens, ...same } = settings;
  assert.deepEqual(log.options, { ...same, maxTokens: maxOutputTokens, stop: ["\n"], minP: 0.05, repetitionPenalty: 1.1 });
  assert.deepEqual(warnings, [{ type: "unsupported", feature: "providerOptions.rushlight.beams" }]);
  await rushlight(model).doGenerate({ prompt: [{ role: "user", content: [{ type: "text", text: "Hello" }] }] });
  assert.deepEqual(log.options, {});
});

test("streamText: the text grows, then the usage", async () => {
  const { model } = fakeChat({ pieces: [piece(1, "Hel"), piece(4, ""), piece(2, "lo"), { id: null, text: "!", logprob: null, top: [] }] });
  const result = streamText({ model: rushlight(model), prompt: "Hello" });
  const texts = [];
  for await (const text of result.textStream) texts.push(text);
  assert.deepEqual(texts, ["Hel", "lo", "!"]);
  assert.equal(await result.finishReason, "stop");
  assert.equal((await result.usage).totalTokens, 15);
});

test("a conversation's turns keep their order, and thoughts of earlier ones are left out", async () => {
  const { model, log } = fakeChat();
  const result = await generateText({
    model: rushlight(model),
    messages: [
      { role: "user", content: [{ type: "text", text: "A" }, { type: "text", text: "B" }] },
      { role: "assistant", content: [{ type: "reasoning", text: "hm" }, { type: "text", text: "C" }] },
      { role: "user", content: "D" },
    ],
  });
  assert.deepEqual(log.messages.map(({ role, content }) => `${role}: ${content}`), ["user: AB", "assistant: C", "user: D"]);
  assert.equal(result.warnings.length, 1);
});

test("what the model cannot do is a warning", async () => {
  const { model } = fakeChat();
  const { warnings } = await rushlight(model).doGenerate({
    prompt: [{ role: "user", content: [{ type: "text", text: "Hello" }] }],
    tools: [{ type: "function", name: "weather", inputSchema: {} }],
    toolChoice: { type: "required" },
    responseFormat: { type: "json" },
    reasoning: "high",
  });
  assert.deepEqual(warnings.map(({ feature }) => feature), ["tools", "toolChoice", "responseFormat", "reasoning"]);
});

test("messages that are not text fail with a code", async () => {
  const image = { type: "file", mediaType: "image/png", data: new Uint8Array([137, 80, 78, 71]) };
  const asked = generateText({ model: rushlight(fakeChat().model), messages: [{ role: "user", content: [image] }], maxRetries: 0 });
  await assert.rejects(asked, (error) => error.code === "ERR_UNSUPPORTED" && /image\/png/.test(error.message));
});

test("an abort ends generateText, and streamText says so in its stream", async () => {
  const controller = new AbortController();
  const asked = generateText({ model: rushlight(fakeChat().model), prompt: "Hello", abortSignal: controller.signal });
  controller.abort();
  await assert.rejects(asked, (error) => error.name === "AbortError");

  const { model, log } = fakeChat();
  const second = new AbortController();
  const parts = [];
  for await (const part of streamText({ model: rushlight(model), prompt: "Hello", abortSignal: second.signal }).fullStream) {
    parts.push(part.type);
    if (part.type === "text-delta") second.abort();
  }
  assert.equal(parts.at(-1), "abort");
  assert.ok(log.given < 3, `${log.given} pieces`);
});

test("a stream that nobody reads on ends the answer", async () => {
  const { model, log } = fakeChat();
  const { stream } = await rushlight(model).doStream({ prompt: [{ role: "user", content: [{ type: "text", text: "Hello" }] }] });
  const reader = stream.getReader();
  for (;;) if ((await reader.read()).value.type === "text-delta") break;
  await reader.cancel();
  assert.ok(log.left && log.given < 3, `${log.given} pieces`);
});

test("an error in the middle of an answer reaches the stream, with its code", async () => {
  const lost = Object.assign(new Error("the GPU went away"), { code: "ERR_DEVICE_LOST" });
  const { model } = fakeChat({ pieces: [piece(1, "Hel"), lost] });
  const errors = [];
  const result = streamText({ model: rushlight(model), prompt: "Hello", onError: ({ error }) => void errors.push(error.code) });
  const texts = [];
  for await (const part of result.fullStream) if (part.type === "text-delta") texts.push(part.text);
  assert.deepEqual(texts, ["Hel"]);
  assert.deepEqual(errors, ["ERR_DEVICE_LOST"]);
  await assert.rejects(generateText({ model: rushlight(fakeChat({ pieces: [lost] }).model), prompt: "Hello", maxRetries: 0 }), { code: "ERR_DEVICE_LOST" });
});

test("raw pieces are passed on where they are asked for, and the SDK's middleware takes the model", async () => {
  const { model } = fakeChat();
  const wrapped = wrapLanguageModel({ model: rushlight(model), middleware: { specificationVersion: "v4" } });
  const raw = [];
  for await (const part of streamText({ model: wrapped, prompt: "Hello", includeRawChunks: true }).fullStream) {
    if (part.type === "raw") raw.push(part.rawValue.id);
  }
  assert.deepEqual(raw, [1, 2, 3]);
});
