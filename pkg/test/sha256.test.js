// Our SHA-256 against node's.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { Sha256, sha256 } from "../modules/arrival/sha256.js";
import { below, content, hashOf, random } from "./arrival_support.js";

test("every length around the blocks, in one piece and byte by byte", () => {
  for (let length = 0; length <= 300; length++) {
    const bytes = content(length, length);
    const expected = hashOf(bytes);
    assert.equal(new Sha256().update(bytes).hex(), expected, `${length} bytes`);
    const pieces = new Sha256();
    for (const byte of bytes) pieces.update(Uint8Array.of(byte));
    assert.equal(pieces.hex(), expected, `${length} single bytes`);
  }
});

test("random lengths in random pieces", () => {
  const rng = random(7);
  for (let round = 0; round < 100; round++) {
    const bytes = content(round, below(rng, 100_000));
    const hash = new Sha256();
    for (let at = 0; at < bytes.length; ) {
      const end = at + below(rng, rng() < 0.5 ? 200 : 20_000);
      hash.update(bytes.subarray(at, end));
      at = end;
    }
    assert.equal(hash.hex(), hashOf(bytes));
  }
});

test("bytes within a larger buffer, and WebCrypto's way", async () => {
  const bytes = content(1, 1000).subarray(3, 777);
  assert.equal(new Sha256().update(bytes).hex(), hashOf(bytes));
  assert.equal(await sha256(bytes), hashOf(bytes));
});

test("lengths over 512 MB are counted in 64 bits", { timeout: 120_000 }, (context) => {
  // 2^29 bytes and some are 2^32 bits and some.
  const piece = content(3, 1 << 20);
  const [ours, theirs, blocks] = [new Sha256(), createHash("sha256"), 513];
  const began = performance.now();
  for (let block = 0; block < blocks; block++) ours.update(piece);
  const rate = blocks / ((performance.now() - began) / 1000);
  for (let block = 0; block < blocks; block++) theirs.update(piece);
  assert.equal(ours.hex(), theirs.digest("hex"));
  context.diagnostic(`${rate.toFixed(0)} MiB/s`);
});
