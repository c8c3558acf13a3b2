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
  const builds = ["compat", "full"].flatMap((build) => [
    `./dist/worker-${build}.js`,
    `./wasm/${build}/rushlight.js`,
    `./wasm/${build}/rushlight_bg.wasm`,
  ]);
  const needed = [...Object.values(exports["."]), "./dist/pool-worker.js", ...builds];
  for (const name of needed) assert.ok(names.includes(name.slice(2)), `${name} is missing`);
  const foreign = names.filter((name) => !/^(dist(\/(arrival|store))?|wasm\/(compat|full))\/[\w.-]+$|^package\.json$|^README\.md$|^LICENSE/.test(name));
  assert.deepEqual(foreign, []);
});

/** A file and what it imports, file by file: what a browser fetches for it. */
function reached(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const [, from] of read(file).toString().matchAll(/^(?:import|export)\b[^"';]*["'](\.[^"']+)["']/gm)) {
    reached(path.join(path.dirname(file), from), seen);
  }
  return seen;
}

for (const build of ["compat", "full"]) {
  test(`what a visitor downloads with the build ${build} is under a megabyte, gzipped`, (context) => {
    const entries = ["dist/index.js", `dist/worker-${build}.js`, ...(build === "full" ? ["dist/pool-worker.js"] : [])];
    const files = entries.reduce((seen, entry) => reached(entry, seen), new Set([`wasm/${build}/rushlight_bg.wasm`]));
    assert.ok(files.has(`wasm/${build}/rushlight.js`) && files.has("dist/host.js"), [...files].join(", "));
    const bytes = [...files].reduce((sum, file) => sum + gzipSync(read(file), { level: 9 }).length, 0);
    context.diagnostic(`${bytes} bytes in ${files.size} files`);
    assert.ok(bytes <= LIMIT, `${bytes} bytes`);
  });
}

test("no part of the package is evaluated or comes from elsewhere", () => {
  const entries = ["dist/index.js", "dist/worker-compat.js", "dist/worker-full.js", "dist/pool-worker.js"];
  for (const file of entries.reduce((seen, entry) => reached(entry, seen), new Set())) {
    let code = read(file).toString();
    // What wasm-bindgen puts in Atomics.waitAsync's place: `builds.ts` takes this build only where there is the real one, and
    // the browser tests run under a policy that would not let it.
    if (file === "wasm/full/rushlight.js") code = code.replace(/^.*URL\.createObjectURL\(new Blob\(\[val\].*$/m, "");
    assert.doesNotMatch(code, /\beval\(|new Function\(|createObjectURL|["`']https?:\/\//, file);
  }
});
