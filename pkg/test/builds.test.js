// Which build is taken, for browsers of every kind.

import assert from "node:assert/strict";
import { test } from "node:test";

import { abilities, pickBuild } from "../modules/builds.js";

const modern = { simd: true, full: true, sharing: true, cores: 6 };

test("a modern browser takes the full build, with a thread a core up to eight", () => {
  assert.deepEqual(pickBuild("auto", undefined, modern), { build: "full", threads: 6 });
  assert.deepEqual(pickBuild("auto", undefined, { ...modern, cores: 64 }), { build: "full", threads: 8 });
});

test("threads are those asked for, never more than cores", () => {
  assert.equal(pickBuild("auto", 2, modern).threads, 2);
  assert.equal(pickBuild("auto", 1000, modern).threads, 6);
  assert.equal(pickBuild("full", 12, { ...modern, cores: 64 }).threads, 12);
});

test("a page that is not isolated has one thread, with relaxed SIMD all the same", () => {
  assert.deepEqual(pickBuild("auto", 4, { ...modern, sharing: false }), { build: "full", threads: 1 });
});

test("a browser without relaxed SIMD or shared memory takes compat, and has no other", () => {
  const older = { ...modern, full: false };
  assert.deepEqual(pickBuild("auto", 4, older), { build: "compat", threads: 1 });
  assert.throws(() => pickBuild("full", 4, older), (error) => error.code === "ERR_NO_BACKEND");
  assert.throws(() => pickBuild("auto", 4, { ...older, simd: false }), (error) => error.code === "ERR_NO_BACKEND");
});

test("compat is taken where it is asked for", () => {
  assert.deepEqual(pickBuild("compat", 4, modern), { build: "compat", threads: 1 });
});

test("this machine's own engine is asked, and has SIMD", () => {
  const can = abilities();
  assert.equal(can.simd, true);
  assert.equal(can.sharing, false, "node is no isolated page");
});
