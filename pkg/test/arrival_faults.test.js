// Two hundred bad days of a server and its visitors, each from a seed. Whatever goes wrong, what is loaded is a file that the server
// had, or there is an error with a code and the store holds nothing that is wrong; and on the next good day everything works.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { below, content, Crash, Disk, hashOf, manifestOf, pick, random, SharedLocks, startServer, Tab } from "./arrival_support.js";

const SCHEDULES = 200;
/** Others are a number in the environment away. */
const FIRST = Number(process.env.RUSHLIGHT_SEED ?? 1);
const CODES = new Set(["ERR_NETWORK", "ERR_HASH", "ERR_ABORTED"]);

let server;
before(async () => (server = await startServer()));
after(() => server.close());

/** Faults of one answer; those in the second list can only be noticed by hashes. */
const FAULTS = [
  (rng) => ({ cut: rng() }),
  () => ({ reset: true }),
  () => ({ status: 429, headers: { "retry-after": "0" } }),
  () => ({ status: 503 }),
  (rng) => ({ promise: 1 + below(rng, 500) }),
  () => ({ drip: 1 }),
  () => ({ ignoreRange: true }),
];
const LIES = [(rng) => ({ flip: rng() }), (rng) => ({ lie: pick(rng, [-300, -1, 1, 300]) })];

/** One schedule; gives what happened, for the summary. */
async function live(seed) {
  const rng = random(seed);
  const path = `/seed-${seed}.gguf`;
  const check = pick(rng, ["none", "sha256", "manifest", "manifest"]);
  const about = { ranges: rng() < 0.8, sized: rng() < 0.9 };
  const chunkBytes = pick(rng, [700, 1000, 4096]);
  const tabs = { disk: new Disk(), locks: new SharedLocks() };
  const versions = [];
  let changes = 0;
  const put = () => {
    const bytes = content(rng() * 2 ** 32, below(rng, 8) === 0 ? below(rng, 900) : below(rng, 40_000));
    versions.push(bytes);
    server.put(path, bytes, { ...about, etag: check === "none" || rng() < 0.7 ? `"${versions.length}"` : null });
    server.put(`${path}.sha256.json`, Buffer.from(JSON.stringify(manifestOf(bytes, chunkBytes))));
    return server.origin + path;
  };
  const url = put();
  // Some servers do little but lie, where that can be noticed.
  const liar = check !== "none" && rng() < 0.15;
  const badness = liar ? 0.95 : rng() * 0.8;
  const faults = check === "none" ? FAULTS : liar ? LIES : [...FAULTS, ...LIES];
  server.state.fault = (request) => {
    if (!request.url.startsWith(path)) return undefined;
    const isManifest = request.url !== path;
    if (!isManifest && changes < 2 && rng() < 0.02) {
      changes++;
      put();
    }
    // Who lies about a manifest can make a file of anything.
    return rng() < badness ? pick(rng, isManifest ? FAULTS : faults)(rng) : undefined;
  };
  const options = () => {
    if (check === "sha256") return { sha256: hashOf(versions.at(-1)) };
    return check === "manifest" ? { manifest: "auto" } : {};
  };

  const outcomes = [];
  for (let load = 0; load < 4; load++) {
    const crash = rng() < 0.3 ? { crashAfter: below(rng, 60), powerLoss: rng() < 0.3, rng } : {};
    const tab = new Tab({ ...tabs, ...crash, seed, chunkBytes, segmentBytes: pick(rng, [1000, 5000, 50_000]) });
    const controller = new AbortController();
    if (rng() < 0.3) setTimeout(() => controller.abort(), below(rng, 25));
    const asked = { ...options(), connections: 1 + below(rng, 5), signal: controller.signal };
    try {
      const { bytes } = await tab.load(url, asked);
      if (asked.sha256 !== undefined) assert.equal(hashOf(bytes), asked.sha256);
      // Also one that the server has replaced: a stored file is used where nobody says that it is out of date.
      assert.ok(versions.some((version) => Buffer.compare(version, bytes) === 0), `seed ${seed}: ${bytes.length} bytes that no version has, ${check} ${JSON.stringify(about)} ${versions.map((v) => v.length)} ${outcomes}`);
      outcomes.push("whole");
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      const crashed = error instanceof Crash || error.cause instanceof Crash || error.reason instanceof Crash;
      assert.ok(crashed || CODES.has(error.code) || controller.signal.aborted, `seed ${seed}: ${error.stack}`);
      outcomes.push(crashed ? "crash" : (error.code ?? "ERR_ABORTED"));
    } finally {
      tab.kill();
    }
    await assertClean(tabs, versions, chunkBytes, check, seed);
  }

  // The good day: the file as it is now, with and then without a network.
  server.state.fault = () => undefined;
  const current = versions.at(-1);
  const tab = new Tab({ ...tabs, chunkBytes });
  for (let load = 0, done = false; !done; load++) {
    // What an earlier load could not tell from the file may fail once more; then it is gone.
    try {
      assert.deepEqual((await tab.load(url, options())).bytes, current, `seed ${seed}`);
      done = true;
    } catch (error) {
      if (load > 0 || check !== "sha256" || error.code !== "ERR_HASH") throw error;
    }
  }
  const offline = new Tab({ ...tabs, chunkBytes, fetch: () => Promise.reject(new TypeError("no network")) });
  const { bytes, cached } = await offline.load(url, options());
  assert.deepEqual(bytes, current, `seed ${seed}: offline`);
  assert.equal(cached, current.length);
  return { check, outcomes };
}

/** The store vouches for nothing that is wrong. */
async function assertClean({ disk }, versions, chunkBytes, check, seed) {
  const cuts = (bytes) => manifestOf(bytes, chunkBytes).chunks;
  for (const entry of await new Tab({ disk }).store.list()) {
    const chunks = [...entry.chunks];
    if (check === "manifest") {
      const known = new Set(versions.flatMap(cuts));
      for (const [index, hash] of chunks) assert.ok(known.has(hash), `seed ${seed}: chunk ${index} is of no version`);
    }
    if (!entry.complete) continue;
    const isVersion = (bytes) => {
      const hashes = cuts(bytes);
      return entry.bytes === bytes.length && chunks.length === hashes.length && chunks.every(([index, hash]) => hashes[index] === hash);
    };
    assert.ok(versions.some(isVersion), `seed ${seed}: a complete file that no version is`);
  }
}

test(`${SCHEDULES} schedules of faults, aborts, crashes and new versions`, { timeout: 120_000 }, async (context) => {
  const counts = {};
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
    const { check, outcomes } = await live(seed);
    for (const outcome of outcomes) {
      const key = `${check} ${outcome}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    for (const path of [...server.state.files.keys()]) server.state.files.delete(path);
    server.state.log.length = 0;
  }
  context.diagnostic(JSON.stringify(counts));
  // A test whose loads all end in the same way shows nothing.
  for (const check of ["none", "sha256", "manifest"]) {
    for (const outcome of ["whole", "ERR_NETWORK", "ERR_ABORTED", "crash"]) assert.ok(counts[`${check} ${outcome}`] > 0, `${check}: never ${outcome}`);
  }
  assert.ok(counts["sha256 ERR_HASH"] > 0 && counts["manifest ERR_HASH"] > 0);
});
