// Files in the browser's own storage: pages are killed while they store, tabs load the same file, the network goes away, room runs
// out. The fault server and the crashes between any two writes are in pkg/test, with a disk in memory; here the disk is real.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { openProfile } from "../lib/browsers.mjs";
import { Weights } from "../lib/weights.mjs";

/** Small, so that a kill at any time finds something half done. */
const SIZES = { chunkBytes: 16_384, segmentBytes: 65_536 };

const KILLS = 50;
const FILE_BYTES = 3_000_001;

/** What the worker says in `globalThis.said`; `globalThis.progress` is the last thing before its end. */
function begin(page, request) {
  return page.evaluate((request) => {
    globalThis.said = undefined;
    globalThis.progress = undefined;
    const worker = new Worker("/test/arrival_worker.js", { type: "module" });
    worker.onerror = (event) => (globalThis.said = { code: "worker", message: event.message });
    worker.onmessage = ({ data }) => (globalThis[data.done ? "said" : "progress"] = data);
    worker.postMessage(request);
  }, request);
}

async function end(page) {
  for (let waited = 0; waited < 30_000; waited += 10) {
    const said = await page.evaluate(() => globalThis.said);
    if (said !== undefined) return said;
    await sleep(10);
  }
  throw new Error(`no end: ${JSON.stringify(await page.evaluate(() => globalThis.progress))}`);
}

/** Waits until so many bytes have been delivered, or the end came first. */
async function delivered(page, bytes) {
  for (let waited = 0; waited < 30_000; waited += 5) {
    const there = await page.evaluate((bytes) => globalThis.said !== undefined || (globalThis.progress?.bytes ?? 0) >= bytes, bytes);
    if (there) return;
    await sleep(5);
  }
  throw new Error(`${bytes} bytes were never delivered`);
}

/** Lets a file arrive in a page. */
async function arrive(page, request) {
  await begin(page, request);
  return await end(page);
}

/** Runs a test in a profile of its own; `open` opens its pages, each at the page that has the package. */
async function withProfile(context, run) {
  const folder = await mkdtemp(path.join(tmpdir(), "rushlight-profile-"));
  const profile = await openProfile(folder);
  const weights = new Weights(context.server);
  const open = async () => {
    const page = await profile.newPage();
    await page.goto(context.url("/test/package.html"));
    await page.waitForFunction(() => globalThis.rushlight !== undefined);
    return page;
  };
  try {
    return await run({ profile, weights, open, url: (file) => context.url(file) });
  } finally {
    context.server.state.intercept = undefined;
    await profile.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What `cache.list` of the package says. */
const listed = (page) => page.evaluate(() => globalThis.rushlight.cache.list());

export default [
  {
    name: "arrival: a page that is killed at any point costs what was on its way, never the file",
    run: (context) =>
      withProfile(context, async ({ profile, weights, open, url }) => {
        const keeper = await open();
        let version = 1;
        let file = weights.put("/weights/model", FILE_BYTES, version);
        let [whole, resumed, most] = [0, 0, 0];
        weights.rate = 5_000;
        for (let kill = 0; kill < KILLS; kill++) {
          const page = await open();
          const before = (await listed(keeper))[0];
          await begin(page, { url: url("/weights/model"), sizes: SIZES });
          // Somewhere: in what is stored, in what is fetched, before the first and after the last byte; and a little later.
          await delivered(page, Math.max(0, Math.floor((((kill * 0.618) % 1) * 1.2 - 0.1) * FILE_BYTES)));
          await sleep((kill * 7) % 12);
          const said = await page.evaluate(() => globalThis.said);
          const progress = await page.evaluate(() => globalThis.progress);
          if (said !== undefined) {
            assert.deepEqual([said.code, said.bytes, said.sha256], [undefined, FILE_BYTES, file.sha256]);
            whole++;
            // Each version resumes where it was left, and is sent about once.
            const wasted = weights.sent.get("/weights/model") - FILE_BYTES;
            most = Math.max(most, wasted);
            version++;
            file = weights.put("/weights/model", FILE_BYTES, version);
          } else if (before?.etag === file.etag && progress?.cached > 0) {
            resumed++;
          }
          if (kill % 2 === 0) {
            await page.close();
          } else {
            // The whole process of the page, as when the system kills it.
            const session = await profile.newCDPSession(page);
            await Promise.race([session.send("Page.crash").catch(() => {}), sleep(100)]);
            await page.close();
          }
        }
        weights.rate = undefined;
        const said = await arrive(keeper, { url: url("/weights/model"), sizes: SIZES });
        assert.equal(said.sha256, file.sha256, JSON.stringify(said));
        const [entry, ...others] = await listed(keeper);
        assert.deepEqual([entry.complete, entry.stored, entry.etag, others.length], [true, FILE_BYTES, file.etag, 0]);
        assert.ok(whole >= 3 && resumed >= 10, `${whole} files were whole, ${resumed} loads resumed`);
        // What was under way, and what had come too far ahead of a chunk that was missing.
        assert.ok(most < FILE_BYTES * 2, `${most} bytes were sent twice`);
        return `${KILLS} kills, ${whole + 1} versions whole, ${resumed} loads resumed, at most ${most} bytes twice`;
      }),
  },
  {
    name: "arrival: two tabs share one download",
    run: (context) =>
      withProfile(context, async ({ weights, open, url }) => {
        const file = weights.put("/weights/shared", FILE_BYTES);
        weights.rate = 2_000;
        const pages = await Promise.all([open(), open()]);
        const request = { url: url("/weights/shared"), sizes: SIZES };
        const said = await Promise.all(pages.map((page) => arrive(page, request)));
        assert.deepEqual(said.map(({ sha256 }) => sha256), [file.sha256, file.sha256]);
        assert.deepEqual(said.map(({ cached }) => cached).sort((a, b) => a - b), [0, FILE_BYTES]);
        const sent = weights.sent.get("/weights/shared");
        assert.ok(sent <= FILE_BYTES + 2, `${sent} bytes were sent`);

        // A tab that is closed in the middle leaves the rest to the one that waits.
        const other = weights.put("/weights/left", FILE_BYTES, 2);
        const left = { ...request, url: url("/weights/left") };
        await begin(pages[0], left);
        await delivered(pages[0], 300_000);
        await begin(pages[1], left);
        await delivered(pages[0], 600_000);
        await pages[0].close();
        const taken = await end(pages[1]);
        assert.equal(taken.sha256, other.sha256, JSON.stringify(taken));
        assert.ok(taken.cached > 0, "nothing was there");
        return `${taken.cached} of ${FILE_BYTES} bytes were there`;
      }),
  },
  {
    name: "arrival: a model that was loaded once loads without its server, and can be listed and deleted",
    run: (context) =>
      withProfile(context, async ({ weights, open, url }) => {
        const page = await open();
        const load = () =>
          page.evaluate(async () => {
            let last;
            try {
              const model = await globalThis.rushlight.loadModel("/minilm/", { backend: "cpu", onProgress: (progress) => (last = progress) });
              const [vector] = await model.embed(["a cat"]);
              model.dispose();
              return { vector: Array.from(vector), last, bytes: model.info.bytes };
            } catch (error) {
              return { code: error.code, message: error.message };
            }
          });
        const first = await load();
        assert.equal(first.code, undefined, first.message);
        assert.equal(first.last.cached, 0);
        weights.gone = true;
        const second = await load();
        assert.equal(second.code, undefined, second.message);
        assert.deepEqual(second.vector, first.vector);
        assert.deepEqual(second.last, { loaded: second.bytes, cached: second.bytes, total: second.bytes });
        const files = await listed(page);
        assert.deepEqual(files.map(({ complete }) => complete), files.map(() => true));
        const model = url("/minilm/model.safetensors");
        assert.equal(files.find((file) => file.url === model).bytes, second.bytes);
        const remove = (address) => page.evaluate((address) => globalThis.rushlight.cache.delete(address), address);
        assert.deepEqual([await remove(model), await remove(model)], [true, false]);
        assert.equal((await load()).code, "ERR_NETWORK");
        const { usage, quota } = await page.evaluate(() => globalThis.rushlight.cache.estimate());
        assert.ok(quota > usage && usage >= 0);
        assert.equal(typeof (await page.evaluate(() => globalThis.rushlight.cache.persist())), "boolean");
        return `${files.length} files, ${second.last.cached} bytes`;
      }),
  },
  {
    name: "arrival: without room a load is refused and says so; old files make room",
    run: (context) =>
      withProfile(context, async ({ profile, weights, open, url }) => {
        const page = await open();
        const session = await profile.newCDPSession(page);
        const origin = new URL(url("/")).origin;
        // Chromium sets aside the next power of two while a file is open.
        await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 6_000_000 });
        const request = (name) => ({ url: url(`/weights/${name}`), sizes: SIZES });
        weights.put("/weights/a", FILE_BYTES, 1);
        const b = weights.put("/weights/b", FILE_BYTES, 2);
        weights.put("/weights/big", 7_000_000, 3);
        const a = await arrive(page, request("a"));
        assert.equal(a.code, undefined, a.message);
        const refused = await arrive(page, request("big"));
        assert.equal(refused.code, "ERR_QUOTA", JSON.stringify(refused));
        assert.match(refused.message, /takes 7\.\d MB/);
        const names = async () => (await listed(page)).map((file) => new URL(file.url).pathname);
        assert.deepEqual(await names(), ["/weights/a"], "nothing was removed in vain");
        assert.equal((await arrive(page, request("b"))).sha256, b.sha256);
        assert.deepEqual(await names(), ["/weights/b"]);
        return refused.message;
      }),
  },
  {
    name: "arrival: Firefox stores and resumes as well",
    async run(context) {
      const weights = new Weights(context.server);
      try {
        const file = weights.put("/weights/firefox", FILE_BYTES);
        weights.rate = 2_000;
        const request = { url: context.url("/weights/firefox"), sizes: SIZES };
        const ready = (page) => page.waitFor("the package", () => globalThis.rushlight !== undefined);
        const first = await context.page("firefox", "/test/package.html");
        await ready(first);
        await begin(first, request);
        await delivered(first, 600_000);
        await first.close();
        const second = await context.page("firefox", "/test/package.html");
        await ready(second);
        const said = await arrive(second, request);
        assert.equal(said.sha256, file.sha256, JSON.stringify(said));
        assert.ok(said.cached > 0, "nothing was there");
        const again = await arrive(second, request);
        assert.deepEqual([again.sha256, again.cached], [file.sha256, FILE_BYTES]);
        const entries = await second.evaluate(() => globalThis.rushlight.cache.list());
        assert.equal(entries.find((entry) => entry.url === request.url).complete, true);
        return `${said.cached} of ${FILE_BYTES} bytes were there after the first page`;
      } finally {
        context.server.state.intercept = undefined;
      }
    },
  },
];
