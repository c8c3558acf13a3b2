// How a file arrives: over several connections, checked, resumed, out of the store. Against a real server, and a disk in memory.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";

import { parseManifest } from "../modules/arrival/manifest.js";
import { backoff, PATIENCE, retryAfter } from "../modules/arrival/retry.js";
import { partsOf } from "../modules/arrival/split.js";
import { open } from "../modules/source.js";
import { content, Disk, hashOf, IMPATIENT, joined, manifestOf, SharedLocks, startServer, Tab } from "./arrival_support.js";

let server;
before(async () => (server = await startServer()));
after(() => server.close());
beforeEach(() => {
  server.state.fault = () => undefined;
  server.state.log.length = 0;
  server.state.mostOpen = 0;
});

const PATH = "/model.gguf";
const bytes = content(1, 50_321);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const code = (expected, ...words) => (error) => {
  assert.equal(error.code, expected, error.stack);
  for (const word of words) assert.ok(error.message.includes(word), error.message);
  return true;
};

/** Loads until so many bytes have been delivered, then does as a closed tab does. */
async function interrupted(tab, url, at, options = {}) {
  const controller = new AbortController();
  let seen = 0;
  await assert.rejects(
    tab.load(url, {
      ...options,
      signal: controller.signal,
      onChunk: (chunk) => {
        seen += chunk.length;
        if (seen >= at) controller.abort();
      },
    }),
    code("ERR_ABORTED"),
  );
}

test("parts come over several connections, in order, and only once", async () => {
  const url = server.put(PATH, bytes);
  server.state.fault = () => ({ drip: 1 });
  const { bytes: got, total } = await new Tab().load(url);
  assert.deepEqual(got, bytes);
  assert.equal(total, bytes.length);
  assert.equal(server.sent(PATH), bytes.length);
  assert.equal(server.state.mostOpen, 4);
});

test("one connection where one is asked for", async () => {
  const url = server.put(PATH, bytes);
  assert.deepEqual((await new Tab().load(url, { connections: 1 })).bytes, bytes);
  assert.equal(server.state.mostOpen, 1);
});

test("a reader that is slow is not run over: what is fetched ahead is bounded", async () => {
  const url = server.put(PATH, content(2, 400_000));
  const { chunks } = await new Tab().open(url);
  await chunks.next();
  await sleep(100);
  assert.ok(server.sent(PATH) <= 36_000, `${server.sent(PATH)} bytes`);
  await chunks.return();
});

test("a chunk stays as it is until the next one is taken, whatever arrives meanwhile", async () => {
  const long = content(3, 1_300_001);
  for (const store of [true, false]) {
    // Longer than what a body is read into, and not in step with it.
    const tab = new Tab({ chunkBytes: 70_001, segmentBytes: 300_000 });
    const { chunks } = await tab.open(server.put(PATH, long), { store });
    let at = 0;
    for await (const chunk of chunks) {
      await sleep(10);
      assert.deepEqual(chunk, long.subarray(at, at + chunk.length), `at ${at}`);
      at += chunk.length;
    }
    assert.equal(at, long.length);
  }
});

for (const [how, about] of [
  ["without ranges", { ranges: false }],
  ["without ranges or lengths", { ranges: false, sized: false }],
]) {
  test(`a server ${how} is asked once`, async () => {
    const url = server.put(PATH, bytes, about);
    const tab = new Tab();
    assert.deepEqual((await tab.load(url)).bytes, bytes);
    assert.equal(server.sent(PATH), bytes.length);
    assert.deepEqual((await tab.load(url)).bytes, bytes);
    assert.equal((await tab.store.list())[0].bytes, bytes.length);
  });

  test(`a connection of a server ${how} may break`, async () => {
    const url = server.put(PATH, bytes, about);
    let times = 0;
    server.state.fault = () => (times++ < 3 ? { cut: 0.3 * times } : undefined);
    assert.deepEqual((await new Tab().load(url)).bytes, bytes);
  });
}

for (const ranges of [true, false]) {
  test(`an empty file, ${ranges ? "with" : "without"} ranges`, async () => {
    const url = server.put(PATH, new Uint8Array(0), { ranges });
    const tab = new Tab();
    assert.equal((await tab.load(url)).bytes.length, 0);
    assert.equal((await tab.load(url, { sha256: hashOf(new Uint8Array(0)) })).bytes.length, 0);
  });
}

test("the second load takes everything from the store and asks only whether it is current", async () => {
  const url = server.put(PATH, bytes);
  const tab = new Tab();
  await tab.load(url);
  server.state.log.length = 0;
  const { bytes: got, cached } = await tab.load(url);
  assert.deepEqual(got, bytes);
  assert.equal(cached, bytes.length);
  assert.ok(server.sent(PATH) <= 1, `${server.sent(PATH)} bytes`);
  await tab.load(url, { store: false });
  assert.ok(server.sent(PATH) >= bytes.length, "without a store it is fetched");
});

test("without a network the stored file is used, and one that is not complete is a network error", async () => {
  const url = server.put(PATH, bytes);
  const other = server.put("/other.gguf", bytes);
  const tab = new Tab();
  await tab.load(url, { manifest: null });
  await interrupted(tab, other, 10_000);
  for (const fault of [{ reset: true }, { status: 503 }, { status: 404 }]) {
    server.state.fault = () => fault;
    assert.deepEqual((await tab.load(url)).bytes, bytes);
    assert.deepEqual((await tab.load(url, { manifest: "auto" })).bytes, bytes);
    await assert.rejects(tab.load(other), code("ERR_NETWORK"));
  }
  server.state.fault = () => undefined;
  const { bytes: got, cached } = await tab.load(other);
  assert.deepEqual(got, bytes);
  assert.ok(cached >= 10_000);
});

test("a load that is interrupted goes on within the file", async () => {
  for (const at of [1, 999, 5000, 33_000, 50_000]) {
    const url = server.put(PATH, bytes, { etag: `"${at}"` });
    const disk = new Disk();
    await interrupted(new Tab({ disk }), url, at);
    // Until the last of its requests has arrived.
    await sleep(20);
    server.state.log.length = 0;
    const { bytes: got, cached } = await new Tab({ disk }).load(url);
    assert.deepEqual(got, bytes);
    assert.ok(cached >= at, `${cached} bytes from the store after ${at}`);
    assert.ok(server.sent(PATH) <= bytes.length - cached + 1, `${server.sent(PATH)} bytes, ${cached} were there, ${JSON.stringify(server.state.log.map((e) => [e.range, e.sent]))}`);
  }
});

test("a file that changed meanwhile starts over", async () => {
  const changed = content(9, 50_321);
  for (const [what, before, then] of [
    ["ETag", { etag: '"a"' }, { etag: '"b"' }],
    ["Last-Modified", { etag: null, modified: "Sat, 21 Nov 2026 08:00:00 GMT" }, { etag: null, modified: "Sun, 22 Nov 2026 08:00:00 GMT" }],
  ]) {
    const tab = new Tab();
    await interrupted(tab, server.put(PATH, bytes, before), 10_000);
    const { bytes: got, cached } = await tab.load(server.put(PATH, changed, then));
    assert.deepEqual(got, changed, what);
    assert.equal(cached, 0, what);
    const { bytes: again } = await tab.load(server.put(PATH, bytes, before));
    assert.deepEqual(again, bytes, `${what} of a complete file`);
  }
  const tab = new Tab();
  await tab.load(server.put(PATH, bytes, { etag: null }));
  const longer = content(10, 60_000);
  assert.deepEqual((await tab.load(server.put(PATH, longer, { etag: null }))).bytes, longer, "length");
});

test("where the server shows neither, only hashes let a load go on", async () => {
  const url = server.put(PATH, bytes, { etag: null });
  const tab = new Tab();
  await interrupted(tab, url, 10_000);
  assert.equal((await tab.load(url)).cached, 0);

  server.put(`${PATH}.sha256.json`, Buffer.from(JSON.stringify(manifestOf(bytes, 1000))));
  const other = new Tab();
  await interrupted(other, url, 10_000);
  // Another version, of which some chunks are as they were.
  const changed = bytes.slice();
  changed.fill(7, 2000, 3000);
  server.put(PATH, changed, { etag: null });
  server.put(`${PATH}.sha256.json`, Buffer.from(JSON.stringify(manifestOf(changed, 1000))));
  const { bytes: got, cached } = await other.load(url, { manifest: "auto" });
  assert.deepEqual(got, changed);
  assert.ok(cached >= 9000, `${cached} bytes`);

  const third = new Tab();
  server.put(PATH, bytes, { etag: null });
  await interrupted(third, url, 10_000);
  const resumed = await third.load(url, { sha256: hashOf(bytes) });
  assert.deepEqual(resumed.bytes, bytes);
  assert.ok(resumed.cached >= 10_000);
});

test("a chunk that arrives damaged is fetched again, twice, then the load fails and nothing bad is stored", async () => {
  const url = server.put(PATH, bytes);
  server.put(`${PATH}.sha256.json`, Buffer.from(JSON.stringify(manifestOf(bytes, 1000))));
  for (const ranges of [true, false]) {
    for (const times of [1, 2, 3]) {
      server.put(PATH, bytes, { ranges });
      let left = times;
      const covers = ({ headers }) => {
        if (!ranges) return true;
        const [, start = 0, end = Infinity] = /bytes=(\d+)-(\d+)/.exec(headers.range ?? "") ?? [];
        return Number(start) <= 20_000 && 20_000 <= Number(end);
      };
      server.state.fault = (request) => {
        if (request.url !== PATH || !covers(request) || left === 0) return undefined;
        left--;
        if (!ranges) return { flip: 20_000.5 / bytes.length };
        const start = Number(/bytes=(\d+)/.exec(request.headers.range ?? "")?.[1] ?? 0);
        const end = Math.min(Number(/-(\d+)/.exec(request.headers.range ?? "")?.[1] ?? bytes.length - 1), bytes.length - 1);
        return { flip: (20_000 - start + 0.5) / (end - start + 1) };
      };
      const tab = new Tab();
      const load = tab.load(url, { manifest: "auto" });
      if (times < 3) assert.deepEqual((await load).bytes, bytes);
      else await assert.rejects(load, code("ERR_HASH", "20000"));
      for (const entry of await tab.store.list()) {
        for (const [index, hash] of entry.chunks) assert.equal(hash, hashOf(bytes.subarray(index * 1000, index * 1000 + 1000)));
        assert.equal(entry.complete, times < 3);
      }
      assert.equal(left, 0);
    }
  }
});

test("a file with another SHA-256 than the option's is an error, and is not kept", async () => {
  const url = server.put(PATH, bytes);
  const tab = new Tab();
  await assert.rejects(tab.load(url, { sha256: hashOf(content(5, 10)) }), code("ERR_HASH"));
  assert.deepEqual(await tab.store.list(), []);
  assert.deepEqual(await tab.folder.names(), []);
  await tab.load(url, { sha256: hashOf(bytes) });
  server.state.log.length = 0;
  assert.deepEqual((await tab.load(url, { sha256: hashOf(bytes) })).bytes, bytes);
  assert.equal(server.state.log.length, 0, "a file that is named by its hash needs no network at all");
});

test("a file that was stored without being checked is checked when that is asked for", async () => {
  const url = server.put(PATH, bytes);
  server.put(`${PATH}.sha256.json`, Buffer.from(JSON.stringify(manifestOf(bytes, 1000))));
  for (const check of [{ manifest: "auto" }, { sha256: hashOf(bytes) }]) {
    const tab = new Tab();
    await tab.load(url);
    const { bytes: got, cached } = await tab.load(url, check);
    assert.deepEqual([got, cached], [bytes, bytes.length]);
    assert.equal((await tab.store.list())[0].complete, true);
    await assert.rejects(tab.load(url, { sha256: hashOf(content(5, 10)) }), code("ERR_HASH"));
  }
});

test("manifests: of another file, of another length, missing, a page instead, nonsense", async () => {
  const url = server.put(PATH, bytes);
  const at = `${PATH}.sha256.json`;
  const put = (value) => server.put(at, Buffer.from(typeof value === "string" ? value : JSON.stringify(value)));
  put(manifestOf(content(4, 50_321), 1000));
  await assert.rejects(new Tab().load(url, { manifest: "auto" }), code("ERR_HASH"));
  put(manifestOf(content(4, 40_000), 1000));
  await assert.rejects(new Tab().load(url, { manifest: "auto" }), code("ERR_HASH", "50321", "40000"));
  await assert.rejects(new Tab().load(url, { manifest: "auto", sha256: hashOf(bytes) }), code("ERR_HASH", "another file"));
  put("<!doctype html>");
  assert.deepEqual((await new Tab().load(url, { manifest: "auto" })).bytes, bytes);
  server.state.files.delete(at);
  assert.deepEqual((await new Tab().load(url, { manifest: "auto" })).bytes, bytes);
  await assert.rejects(new Tab().load(url, { manifest: server.origin + at }), (e) => code("ERR_NETWORK")(e) && e.status === 404);
  put(manifestOf(bytes, 1000));
  server.state.fault = (request) => (request.url === at ? { status: 503 } : undefined);
  await assert.rejects(new Tab().load(url, { manifest: "auto" }), (e) => code("ERR_NETWORK", at)(e) && e.status === 503);
  server.state.fault = () => undefined;
  const good = manifestOf(bytes, 1000);
  for (const [wrong, word] of [
    ["{", "JSON"],
    ["null", "bytes"],
    [{ ...good, bytes: -1 }, "bytes"],
    [{ ...good, chunk_bytes: 0 }, "chunk_bytes"],
    [{ ...good, chunk_bytes: 2 ** 40 }, "chunk_bytes"],
    [{ ...good, sha256: "no" }, "sha256"],
    [{ ...good, chunks: good.chunks.slice(1) }, "chunks"],
    [{ ...good, chunks: good.chunks.map((hash) => hash.toUpperCase()) }, "chunks"],
  ]) {
    assert.throws(() => parseManifest(typeof wrong === "string" ? wrong : JSON.stringify(wrong), "m"), code("ERR_HASH", word));
  }
});

test("the server's wish to wait is heard, one that is too long is an error at once", async () => {
  const url = server.put(PATH, bytes);
  let times = 0;
  server.state.fault = () => (times++ === 0 ? { status: 429, headers: { "retry-after": "1" } } : undefined);
  assert.deepEqual((await new Tab().load(url)).bytes, bytes);
  const [first, second] = server.state.log;
  assert.ok(second.at - first.at >= 1000, `${second.at - first.at} ms`);
  server.state.fault = () => ({ status: 503, headers: { "retry-after": "3600" } });
  const began = performance.now();
  await assert.rejects(new Tab().load(url), (e) => code("ERR_NETWORK", "503")(e) && e.status === 503);
  assert.ok(performance.now() - began < 1000);
});

test("waits double, differ, and have a limit; Retry-After says seconds or a date", () => {
  assert.equal(backoff(1, PATIENCE, () => 1), 250);
  assert.equal(backoff(3, PATIENCE, () => 1), 1000);
  assert.equal(backoff(3, PATIENCE, () => 0), 500);
  assert.equal(backoff(20, PATIENCE, () => 1), 8000);
  assert.equal(retryAfter("7", 0), 7000);
  assert.equal(retryAfter("Thu, 01 Jan 1970 00:00:09 GMT", 4000), 5000);
  assert.equal(retryAfter("Thu, 01 Jan 1970 00:00:09 GMT", 14_000), 0);
  assert.equal(retryAfter("soon", 0), undefined);
  assert.equal(retryAfter(null, 0), undefined);
});

test("a server that says nothing more is left, and asked again", async () => {
  const url = server.put(PATH, bytes);
  let times = 0;
  const stalling = (address, init) => {
    if (times++ > 0) return fetch(address, init);
    const body = new ReadableStream({ start: (sink) => sink.enqueue(bytes.slice(0, 10)) });
    return Promise.resolve(new Response(body, { status: 206, headers: { "content-range": `bytes 0-3999/${bytes.length}`, etag: server.state.files.get(PATH).etag } }));
  };
  const patience = { ...IMPATIENT, silenceMs: 50 };
  assert.deepEqual((await new Tab({ fetch: stalling, patience }).load(url)).bytes, bytes);
});

test("answers whose range the page may not see are completed by a HEAD request", async () => {
  const url = server.put(PATH, bytes);
  const hidden = async (address, init) => {
    const response = await fetch(address, init);
    const headers = new Headers(response.headers);
    for (const name of ["content-range", "etag"]) headers.delete(name);
    return new Response(init.method === "HEAD" ? null : response.body, { status: response.status, headers });
  };
  assert.deepEqual((await new Tab({ fetch: hidden }).load(url)).bytes, bytes);
  assert.equal(server.state.log.filter(({ method }) => method === "HEAD").length, 1);
  // And by its last byte, which shows that the length is that of the file.
  assert.equal(server.sent(PATH), bytes.length + 1);
});

test("two tabs share one download", async () => {
  const url = server.put(PATH, bytes);
  server.state.fault = () => ({ drip: 1 });
  const shared = { disk: new Disk(), locks: new SharedLocks() };
  const loads = await Promise.all([new Tab(shared), new Tab(shared), new Tab(shared)].map((tab) => tab.load(url)));
  for (const load of loads) assert.deepEqual(load.bytes, bytes);
  assert.ok(server.sent(PATH) <= bytes.length + 4, `${server.sent(PATH)} bytes`);
  assert.deepEqual(loads.map((load) => load.cached).sort((a, b) => a - b), [0, bytes.length, bytes.length]);
});

test("a tab that waits for another goes on where that one was closed", async () => {
  const url = server.put(PATH, bytes);
  server.state.fault = () => ({ drip: 2 });
  const shared = { disk: new Disk(), locks: new SharedLocks() };
  const closing = new Tab(shared);
  const first = closing.load(url, { onChunk: (_, count) => void (count === 20 && closing.kill()) });
  await sleep(10);
  const second = new Tab(shared).load(url);
  await assert.rejects(first);
  const { bytes: got, cached } = await second;
  assert.deepEqual(got, bytes);
  assert.ok(cached >= 19_000, `${cached} bytes`);
});

test("waiting for another tab can be aborted", async () => {
  const url = server.put(PATH, bytes);
  const shared = { disk: new Disk(), locks: new SharedLocks() };
  const { chunks } = await new Tab(shared).open(url);
  const controller = new AbortController();
  const waiting = new Tab(shared).load(url, { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await assert.rejects(waiting);
  await chunks.return();
});

test("what is damaged on the disk is fetched again", async () => {
  const url = server.put(PATH, bytes);
  const disk = new Disk();
  await new Tab({ disk }).load(url);
  const [data] = [...disk.files].filter(([name]) => name.endsWith(".data")).map(([, file]) => file);
  data.now[20_000] ^= 1;
  data.now[40_000] ^= 1;
  server.state.log.length = 0;
  const { bytes: got, cached } = await new Tab({ disk }).load(url);
  assert.deepEqual(got, bytes);
  assert.equal(cached, bytes.length - 2000);
  assert.equal(server.sent(PATH), 2001);
  assert.equal((await new Tab({ disk }).load(url)).cached, bytes.length);
  // The file is another one by now, and the server does not show it.
  data.now[20_000] ^= 1;
  server.put(PATH, content(8, bytes.length), { etag: null });
  await assert.rejects(new Tab({ disk }).load(url), code("ERR_HASH"));
  assert.deepEqual(await new Tab({ disk }).store.list(), []);
});

test("room is made by removing what was used longest ago, and not in vain", async () => {
  let clock = 1e12;
  const tab = new Tab({ quota: 1_500_000, now: () => clock });
  const names = ["/a", "/b", "/c", "/d"];
  const load = async (name) => {
    clock += 3600_000;
    return await tab.load(server.put(name, content(names.indexOf(name), 390_000)));
  };
  for (const name of ["/a", "/b", "/c", "/a"]) await load(name);
  const listed = async () => (await tab.store.list()).map(({ url }) => new URL(url).pathname).sort();
  assert.deepEqual(await listed(), ["/a", "/b", "/c"]);
  await load("/d");
  assert.deepEqual(await listed(), ["/a", "/c", "/d"], "b was used longest ago");
  clock += 3600_000;
  const big = server.put("/big", content(5, 3_000_000));
  await assert.rejects(tab.load(big), code("ERR_QUOTA", "3.1 MB", "cache.delete", 'cache: "none"'));
  assert.deepEqual(await listed(), ["/a", "/c", "/d"], "removing them would not have been enough");
  assert.equal((await tab.load(big, { store: false })).bytes.length, 3_000_000);
});

test("files that are in use, or of the same load, are not removed", async () => {
  let clock = 1e12;
  const shared = { disk: new Disk(), locks: new SharedLocks(), quota: 1_000_000, now: () => clock };
  const tab = new Tab(shared);
  const [a, b] = ["/a", "/b"].map((name, seed) => server.put(name, content(seed, 500_000)));
  await tab.load(a);
  await assert.rejects(tab.load(b, { siblings: [a] }), code("ERR_QUOTA"), "of the same model");
  const reading = await new Tab(shared).open(a);
  await reading.chunks.next();
  await assert.rejects(tab.load(b), code("ERR_QUOTA"), "being read");
  await reading.chunks.return();
  clock += 3600_000;
  await tab.load(b);
});

test("a disk that is full, or fails, is named", async () => {
  const url = server.put(PATH, bytes);
  for (const [name, expected] of [["QuotaExceededError", "ERR_QUOTA"], ["NoModificationAllowedError", "ERR_STORAGE"]]) {
    const tab = new Tab();
    const { open: opened } = tab.folder;
    tab.folder.open = async (file) => {
      const handle = await opened(file);
      let left = 5;
      return { ...handle, write: (part, at) => {
        if (left-- === 0) throw new DOMException("full", name);
        handle.write(part, at);
      } };
    };
    await assert.rejects(tab.load(url), code(expected, 'cache: "none"'));
    tab.folder.open = opened;
    assert.deepEqual((await tab.load(url)).bytes, bytes);
  }
});

test("the parts of a split model come one after the other, and all are asked for before the first", async () => {
  assert.equal(partsOf("http://h/m.gguf"), undefined);
  assert.equal(partsOf("http://h/m-00002-of-00003.gguf"), undefined);
  const url = "http://h/m-00001-of-00003.gguf?download=1";
  assert.deepEqual(partsOf(url), [1, 2, 3].map((part) => url.replace("00001", `0000${part}`)));

  const parts = [1000, 2000, 3500].map((length, seed) => content(seed, length));
  const urls = parts.map((part, index) => server.put(`/m-0000${index + 1}-of-00003.gguf`, part));
  const request = { cache: null, sha256: null, manifest: null, connections: 2 };
  const { signal } = new AbortController();
  const tab = new Tab();
  const incoming = await open({ url: urls[0] }, signal, request, tab.world);
  assert.equal(incoming.total, 6500);
  const collect = async ({ chunks }) => {
    const all = [];
    for await (const chunk of chunks) all.push(chunk.slice());
    return joined(all);
  };
  assert.deepEqual(await collect(incoming), parts[0]);
  for (const [index, openPart] of incoming.furtherParts.entries()) {
    const part = await openPart();
    assert.equal(part.fileBytes, parts[index + 1].length);
    assert.deepEqual(await collect(part), parts[index + 1]);
  }
  server.state.files.delete("/m-00003-of-00003.gguf");
  await assert.rejects(open({ url: urls[0] }, signal, request, new Tab().world), (e) => code("ERR_NETWORK", "00003-of")(e) && e.status === 404);
  await assert.rejects(open({ url: urls[0] }, signal, { ...request, sha256: hashOf(parts[0]) }, new Tab().world), code("ERR_BAD_ARGUMENT", "auto"));
});
