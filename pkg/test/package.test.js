// What `npm pack` would publish: everything that the package needs, nothing else, and small.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

const root = path.resolve(import.meta.dirname, "..");
const read = (file) => readFileSync(path.join(root, file));

/** What a visitor may have to download, gzipped. */
const LIMIT = 1_000_000;

test("the package has its entry, its worker, its core and their types, and nothing else", () => {
  const [{ files }] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: root, stdio: ["ignore", "pipe", "ignore"] }));
  const names = files.map((file) => file.path);
  const { exports } = JSON.parse(read("package.json"));
  const needed = [...Object.values(exports["."]), "./dist/worker.js", "./wasm/rushlight.js", "./wasm/rushlight_bg.wasm"];
  for (const name of needed) assert.ok(names.includes(name.slice(2)), `${name} is missing`);
  const foreign = names.filter((name) => !/^(dist|wasm)\/[\w.]+$|^package\.json$|^README\.md$|^LICENSE/.test(name));
  assert.deepEqual(foreign, []);
});

test("what a visitor downloads is under a megabyte, gzipped", () => {
  const worker = ["dist/worker.js", "wasm/rushlight.js", "wasm/rushlight_bg.wasm"];
  const bytes = worker.reduce((sum, file) => sum + gzipSync(read(file), { level: 9 }).length, 0);
  assert.ok(bytes < LIMIT, `${bytes} bytes`);
});

test("no part of the package is evaluated or comes from elsewhere", () => {
  for (const file of ["dist/index.js", "dist/load.js", "dist/worker.js", "dist/host.js", "wasm/rushlight.js"]) {
    const code = read(file).toString();
    assert.doesNotMatch(code, /\beval\(|new Function\(|createObjectURL|["`']https?:\/\//, file);
  }
});
