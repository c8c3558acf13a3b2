// The network side, against real HTTP.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { collect, open as openWith, openSmall } from "../modules/source.js";
import { content, startServer, Tab } from "./arrival_support.js";

/** Without a store, and without much patience. */
const open = (source, signal) => openWith(source, signal, undefined, { ...new Tab().world, store: undefined });

/** Runs `body` with the address of a server that answers with `handler`. */
async function withServer(handler, body) {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    await body(`http://127.0.0.1:${server.address().port}/model.gguf`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function drain(incoming) {
  let bytes = 0;
  for await (const chunk of incoming.chunks) bytes += chunk.length;
  return bytes;
}

const never = () => new AbortController().signal;

test("a body arrives whole, with its length", () =>
  withServer(
    (_, answer) => answer.writeHead(200, { "content-length": 100_000 }).end(new Uint8Array(100_000)),
    async (url) => {
      const incoming = await open({ url }, never());
      assert.equal(incoming.total, 100_000);
      assert.equal(await drain(incoming), 100_000);
    },
  ));

test("a missing file is a network error with its status", () =>
  withServer(
    (_, answer) => answer.writeHead(404).end("no"),
    async (url) => {
      await assert.rejects(open({ url }, never()), (e) => e.code === "ERR_NETWORK" && e.status === 404 && e.message.includes(url));
    },
  ));

test("a connection that breaks is a network error, not a short file", () =>
  withServer(
    (_, answer) => {
      answer.writeHead(200, { "content-length": 1000 }).write(new Uint8Array(10));
      setTimeout(() => answer.destroy(), 20);
    },
    async (url) => {
      await assert.rejects(drain(await open({ url }, never())), (e) => e.code === "ERR_NETWORK");
    },
  ));

test("a server that is not there is a network error", async () => {
  await assert.rejects(open({ url: "http://127.0.0.1:9/model.gguf" }, never()), (e) => e.code === "ERR_NETWORK");
});

test("an abort closes the connection while the body arrives", async () => {
  let closed;
  const gone = new Promise((resolve) => (closed = resolve));
  await withServer(
    (request, answer) => {
      request.on("close", closed);
      answer.writeHead(200).write(new Uint8Array(10));
    },
    async (url) => {
      const controller = new AbortController();
      const incoming = await open({ url }, controller.signal);
      setTimeout(() => controller.abort(), 20);
      await assert.rejects(drain(incoming), (e) => e.code === "ERR_ABORTED");
      await gone;
    },
  );
});

test("small files that may be missing are null, others are an error", () => {
  const there = { "/config.json": "{}", "/tokenizer.json": "[]", "/model.safetensors": "weights" };
  const handler = ({ url }, answer) => (url in there ? answer.end(there[url]) : answer.writeHead(404).end());
  return withServer(handler, async (address) => {
    const file = (name) => ({ url: new URL(name, address).href });
    const files = {
      model: file("model.safetensors"),
      config: file("config.json"),
      tokenizer: file("tokenizer.json"),
      sentence: file("sentence_bert_config.json"),
      pooling: undefined,
    };
    const incoming = await open({ files }, never());
    assert.deepEqual(incoming.files, { config: "{}", tokenizer: "[]", sentence: null, pooling: null });
    assert.equal(await drain(incoming), 7);
    const broken = { ...files, tokenizer: file("other.json") };
    await assert.rejects(open({ files: broken }, never()), (e) => e.code === "ERR_NETWORK" && e.status === 404);
  });
});

test("a file that belongs to a model is retried, kept as the model is, and never removes its weights", async () => {
  const server = await startServer();
  try {
    const [model, frame] = [server.put("/model.gguf", content(1, 30_000)), server.put("/frame.prefix", content(2, 20_500))];
    // Room for both, but not for a third.
    const tab = new Tab({ quota: 175_000 });
    await tab.load(model);
    const other = server.put("/other.gguf", content(3, 60_000));
    await tab.load(other);
    const request = { source: { url: model }, arrival: { cache: null, sha256: "0".repeat(64), manifest: null, connections: 4 } };
    const faults = [{ status: 503 }, { cut: 0.5 }];
    server.state.fault = () => faults.shift();
    const read = async () => collect(await openSmall({ url: `${frame}#here` }, request, never(), tab.world));
    assert.deepEqual(await read(), content(2, 20_500));
    assert.deepEqual((await tab.store.list()).map(({ url, complete }) => [url, complete]).sort(), [[frame, true], [model, true]]);
    server.close();
    assert.deepEqual(await read(), content(2, 20_500));
    await assert.rejects(openSmall({ url: other }, request, never(), tab.world), (e) => e.code === "ERR_NETWORK");
  } finally {
    server.close();
  }
});
