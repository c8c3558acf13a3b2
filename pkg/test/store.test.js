// The store's crashes: after any write, with a part of it done, and with the power gone.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { beginLine, encodeLine, replay } from "../modules/store/journal.js";
import { content, Crash, Disk, hashOf, joined, manifestOf, random, SharedLocks, startServer, Tab } from "./arrival_support.js";

let server;
before(async () => (server = await startServer()));
after(() => server.close());

const bytes = content(11, 20_500);

/** Whatever the journal says is there is there, unless the power failed; and a file that is complete is the file. */
async function assertSound(disk, expected, { powerLoss = false } = {}) {
  const tab = new Tab({ disk });
  for (const entry of await tab.store.list()) {
    for (const [index, hash] of entry.chunks) {
      const right = hashOf(expected.subarray(index * entry.chunkBytes, (index + 1) * entry.chunkBytes));
      assert.equal(hash, right, `chunk ${index}`);
    }
    if (powerLoss) continue;
    const data = [...disk.files].find(([name]) => name.endsWith(".data"))[1].now;
    for (const [index, hash] of entry.chunks) {
      assert.equal(hashOf(data.subarray(index * entry.chunkBytes, (index + 1) * entry.chunkBytes)), hash, `data of chunk ${index}`);
    }
  }
}

test("a journal that is cut anywhere is what it was some lines before", () => {
  const about = { url: "http://h/m", bytes: 3000, chunkBytes: 1000, etag: '"ä"', modified: null };
  const lines = [
    beginLine(about, 5),
    { kind: "chunk", index: 0, sha256: "a" },
    { kind: "chunk", index: 2, sha256: "c" },
    { kind: "lost", index: 0 },
    { kind: "version", etag: null, modified: "now" },
    { kind: "whole", bytes: 3000, sha256: null, manifest: true, at: 7 },
    { kind: "used", at: 9 },
  ].map(encodeLine);
  const whole = joined(lines);
  const ends = lines.map((_, index) => joined(lines.slice(0, index + 1)).length);
  for (let length = 0; length <= whole.length; length++) {
    const complete = ends.filter((end) => end <= length).length;
    const { entry, length: valid } = replay(whole.subarray(0, length));
    assert.equal(valid, complete === 0 ? 0 : ends[complete - 1]);
    assert.equal(entry === undefined, complete === 0);
  }
  const { entry } = replay(whole);
  assert.deepEqual(entry, { ...about, etag: null, modified: "now", chunks: new Map([[2, "c"]]), complete: true, sha256: null, manifest: true, lastUsed: 9 });
  // A bit that tips over ends it there, wherever it is.
  for (let at = 0; at < whole.length; at++) {
    const damaged = whole.slice();
    damaged[at] ^= 4;
    assert.ok(replay(damaged).length <= at, `at ${at}`);
  }
});

for (const powerLoss of [false, true]) {
  test(`a crash at any write${powerLoss ? ", with the power gone," : ""} costs a chunk, never the file`, async () => {
    const url = server.put("/crash.gguf", bytes);
    for (let crashAfter = 0; ; crashAfter++) {
      const disk = new Disk();
      const locks = new SharedLocks();
      const rng = random(crashAfter);
      const first = new Tab({ disk, locks, crashAfter, powerLoss, rng, seed: crashAfter });
      let delivered;
      try {
        delivered = (await first.load(url)).bytes;
      } catch (error) {
        assert.ok(error instanceof Crash || error.cause instanceof Crash, error.stack);
      }
      await assertSound(disk, bytes, { powerLoss });
      // Until the last of its requests has arrived.
      await new Promise((resolve) => setTimeout(resolve, 10));
      server.state.log.length = 0;
      const { bytes: got } = await new Tab({ disk, locks }).load(url);
      assert.deepEqual(got, bytes, `after ${crashAfter} changes`);
      // Each chunk is two changes, after the eight that begin a file. The last one is shorter.
      const there = Math.min(bytes.length, Math.max(0, Math.floor((crashAfter - 8) / 2)) * 1000);
      if (!powerLoss) assert.ok(server.sent("/crash.gguf") <= bytes.length - there + 501, `${server.sent("/crash.gguf")} bytes after ${crashAfter}`);
      assert.deepEqual((await new Tab({ disk, locks }).load(url)).cached, bytes.length);
      if (delivered !== undefined) {
        assert.deepEqual(delivered, bytes);
        assert.ok(crashAfter > 40, `${crashAfter} changes`);
        break;
      }
    }
  });
}

test("a crash at any write while a file is replaced by its next version", async () => {
  const next = content(12, 18_700);
  for (let crashAfter = 0, done = false; !done; crashAfter++) {
    const [disk, locks] = [new Disk(), new SharedLocks()];
    await new Tab({ disk, locks }).load(server.put("/next.gguf", bytes));
    const url = server.put("/next.gguf", next);
    const manifest = server.put("/next.json", Buffer.from(JSON.stringify(manifestOf(next, 1000))));
    const options = crashAfter % 2 === 0 ? {} : { manifest };
    done = await new Tab({ disk, locks, crashAfter, powerLoss: crashAfter % 3 === 0, rng: random(crashAfter) }).load(url, options).then(
      ({ bytes: got }) => (assert.deepEqual(got, next), true),
      () => false,
    );
    assert.deepEqual((await new Tab({ disk, locks }).load(url)).bytes, next, `after ${crashAfter} changes`);
  }
});

test("what a crash left without a journal is removed when room is needed", async () => {
  const disk = new Disk();
  await new Tab({ disk }).load(server.put("/left.gguf", content(1, 500_000)));
  for (const name of disk.files.keys()) if (name.endsWith(".journal")) disk.files.delete(name);
  const url = server.put("/new.gguf", content(2, 600_000));
  const tab = new Tab({ disk, quota: 800_000 });
  assert.deepEqual((await tab.load(url)).bytes, content(2, 600_000));
  assert.equal((await tab.store.list()).length, 1);
});
