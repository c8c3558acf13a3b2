// What `npm pack` would publish: everything that the package needs, nothing else, small, and nothing that runs on a server.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { gzipSync } from "node:zlib";

const root = path.resolve(import.meta.dirname, "..");
const read = (file) => readFileSync(path.join(root, file));
const manifest = JSON.parse(read("package.json"));

/** What a visitor may have to download, gzipped. */
const LIMIT = 1_000_000;

/** Modules that a page's code can reach: every entry but the worker's own, which is a worker. */
const PAGE_ENTRIES = Object.values(manifest.exports)
  .map((entry) => entry.default?.slice(2))
  .filter((file) => file !== undefined && file !== "dist/worker.js");

let packed;
before(() => {
  const listed = execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: root, stdio: ["ignore", "pipe", "ignore"] });
  const parsed = JSON.parse(listed);
  packed = (Array.isArray(parsed) ? parsed[0] : Object.values(parsed)[0]).files.map((file) => file.path).sort();
});

/** Files beside another that its code or its types import. */
function imported(file) {
  const code = read(file).toString();
  const found = code.matchAll(/(?:^|[;{}])\s*(?:import|export)\b(?:[^"';=]*\bfrom)?\s*"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)/gm);
  return [...found].map(([, from, late]) => path.join(path.dirname(file), from ?? late));
}

/** A file and what it imports, file by file. */
function reached(file, seen = new Set()) {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const other of imported(file)) reached(file.endsWith(".d.ts") ? other.replace(/\.js$/, ".d.ts") : other, seen);
  return seen;
}

test("the tarball has one file an entry, the types of those that have any, the cores, and nothing else", () => {
  const entries = ["index", "openai", "ai-sdk", "react", "isolate", "worker"];
  const workers = ["worker-compat", "worker-full", "pool-worker", "isolate-worker"];
  const modules = [...entries, ...workers].map((name) => `dist/${name}.js`);
  const types = entries.reduce((seen, name) => reached(`dist/${name}.d.ts`, seen), new Set());
  assert.ok(types.has("dist/types.d.ts") && !types.has("dist/host.d.ts"), [...types].join(", "));
  const cores = ["compat", "full"].flatMap((build) => [`wasm/${build}/rushlight.js`, `wasm/${build}/rushlight_bg.wasm`]);
  const papers = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "package.json"];
  assert.deepEqual(packed, [...modules, ...types, ...cores, ...papers].sort());
});

/** What each module imports of the package: every level is a round trip where there is no bundler. */
const IMPORTS = {
  index: [],
  openai: ["dist/index.js"],
  "ai-sdk": ["dist/index.js"],
  react: ["dist/index.js"],
  isolate: [],
  "isolate-worker": [],
  worker: ["dist/worker-compat.js", "dist/worker-full.js"],
  "worker-compat": ["wasm/compat/rushlight.js"],
  "worker-full": ["wasm/full/rushlight.js"],
  "pool-worker": ["wasm/full/rushlight.js"],
};

test("a module is one file, and bundlers see what else it needs by the form that they know", () => {
  for (const [name, expected] of Object.entries(IMPORTS)) {
    assert.deepEqual([...new Set(imported(`dist/${name}.js`))].sort(), expected, name);
  }
  const found = (name) => [...read(`dist/${name}.js`).toString().matchAll(/(new Worker\()?new URL\("([^"]+)",\s*import\.meta\.url\)/g)];
  const urls = (name) => found(name).map(([, worker, url]) => (worker === undefined ? url : `Worker ${url}`)).sort();
  assert.deepEqual(urls("index"), ["Worker ./pool-worker.js", "Worker ./worker-compat.js", "Worker ./worker-full.js"]);
  assert.deepEqual(urls("worker-compat"), ["../wasm/compat/rushlight_bg.wasm"]);
  assert.deepEqual(urls("worker-full"), ["../wasm/full/rushlight_bg.wasm", "Worker ./pool-worker.js"]);
});

test("every entry has its module and its types in the tarball", () => {
  for (const [name, entry] of Object.entries(manifest.exports)) {
    for (const file of typeof entry === "string" ? [entry] : Object.values(entry)) {
      assert.ok(packed.includes(file.slice(2)), `${name}: ${file} is missing`);
    }
  }
  for (const name of [".", "./worker", "./openai", "./ai-sdk", "./react", "./isolate"]) assert.ok(manifest.exports[name].types, name);
});

test("what registries show and check is filled in", () => {
  assert.equal(manifest.publishConfig.provenance, true);
  assert.match(manifest.repository.url, /^git\+https:\/\/.+\.git$/);
  assert.equal(manifest.repository.directory, "pkg");
  assert.equal(manifest.dependencies, undefined, "a visitor downloads nobody else's code");
  for (const file of ["LICENSE-APACHE", "LICENSE-MIT"]) assert.ok(read(file).equals(read(`../${file}`)), `${file} is not the repository's`);
  // What a bundler may leave out where nothing of it is used.
  for (const file of manifest.sideEffects) assert.ok(packed.includes(file.slice(2)), file);
});

for (const build of ["compat", "full"]) {
  test(`what a visitor downloads with the build ${build} is under a megabyte, gzipped, with every entry`, (context) => {
    const workers = [`dist/worker-${build}.js`, "dist/isolate-worker.js", ...(build === "full" ? ["dist/pool-worker.js"] : [])];
    // `worker.js` itself would lead to both builds.
    const files = [...PAGE_ENTRIES, ...workers].reduce((seen, entry) => reached(entry, seen), new Set([`wasm/${build}/rushlight_bg.wasm`, "dist/worker.js"]));
    assert.equal(files.size, build === "full" ? 11 : 10, [...files].join(", "));
    const bytes = [...files].reduce((sum, file) => sum + gzipSync(read(file), { level: 9 }).length, 0);
    context.diagnostic(`${bytes} bytes in ${files.size} files`);
    assert.ok(bytes <= LIMIT, `${bytes} bytes`);
  });
}

test("no part of the package is evaluated or comes from elsewhere", () => {
  const scripts = packed.filter((name) => name.endsWith(".js"));
  assert.equal(scripts.length, Object.keys(IMPORTS).length + 2);
  for (const file of scripts) {
    let code = read(file).toString();
    // What wasm-bindgen puts in Atomics.waitAsync's place: `builds.ts` takes this build only where there is the real one, and
    // the browser tests run under a policy that would not let it.
    if (file === "wasm/full/rushlight.js") code = code.replace(/^.*URL\.createObjectURL\(new Blob\(\[val\].*$/m, "");
    assert.doesNotMatch(code, /\beval\(|new Function\(|createObjectURL|["`']https?:\/\//, file);
  }
});

test("on a server every entry can be imported and does nothing, and a load says why it fails", () => {
  const names = Object.entries(manifest.exports).flatMap(([name, entry]) => (entry.default ? [name.replace(".", "rushlight")] : []));
  assert.equal(names.length, 6);
  const script = `
    const globals = Object.getOwnPropertyNames(globalThis).sort().join();
    const forbidden = ["fetch", "setTimeout", "setInterval", "queueMicrotask"];
    for (const name of forbidden) globalThis[name] = () => { throw new Error(name + " was called by an import"); };
    for (const name of ${JSON.stringify(names)}) await import(name);
    if (Object.getOwnPropertyNames(globalThis).sort().join() !== globals) throw new Error("a global was set");
    const { loadModel, RushlightError } = await import("rushlight");
    const { isolate } = await import("rushlight/isolate");
    const failure = await loadModel("/model.gguf").then(() => "none", ({ code }) => code);
    // An error is of one class, whichever entry throws it.
    const { chatCompletion } = await import("rushlight/openai");
    const thrown = await chatCompletion({}, { messages: [] }).then(() => undefined, (error) => error);
    const kind = [thrown instanceof RushlightError, RushlightError.name, thrown.name];
    console.log(JSON.stringify([failure, kind, await isolate("/isolate-worker.js")]));
  `;
  // A process of its own: it ends only where no import left a timer, a port or a worker behind.
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: root, encoding: "utf8", timeout: 30_000 });
  assert.deepEqual(JSON.parse(said), ["ERR_NO_BACKEND", [true, "RushlightError", "RushlightError"], false]);
});
