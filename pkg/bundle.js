// `modules/`, what tsc makes of the sources, becomes `dist/`, what is published: one file an entry, so that a browser needs one
// request for what came in twenty, five levels deep; and the types.

import { copyFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";

import { build } from "esbuild";
import ts from "typescript";

const root = import.meta.dirname;
const { exports, sideEffects, peerDependencies } = JSON.parse(readFileSync(path.join(root, "package.json"), "utf8"));

/** The service worker is a classic script: it has no imports, and stays strict by its own word. */
const SCRIPT = "isolate-worker.js";

/** Types of an entry, and modules that pages or workers begin with: `package.json` names them all. */
const typed = Object.values(exports).flatMap((entry) => (entry.types ? [path.basename(entry.types)] : []));
const published = [...Object.values(exports).flatMap((entry) => entry.default ?? []), ...sideEffects];
const modules = [...new Set(published.map((file) => path.basename(file)))].filter((file) => file !== SCRIPT);

/** Names stay as they are: a stack trace from a visitor's browser is read as it comes. */
const options = {
  absWorkingDir: root,
  outdir: "dist",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  minifyWhitespace: true,
  minifySyntax: true,
};

rmSync(path.join(root, "dist"), { recursive: true, force: true });
await build({ ...options, entryPoints: [`modules/${SCRIPT}`] });
await build({
  ...options,
  entryPoints: modules.map((file) => `modules/${file}`),
  bundle: true,
  format: "esm",
  // What is imported by the name of another entry stays an import: RushlightError is one class, that of index.js. The cores find
  // their wasm by where they lie themselves.
  external: [...modules.map((file) => `./${file}`), "../wasm/*", ...Object.keys(peerDependencies)],
});

/** Copies a declaration and what it imports, file by file. */
function copyTypes(file, seen = new Set()) {
  if (seen.has(file)) return;
  seen.add(file);
  const from = path.join(root, "modules", file);
  const to = path.join(root, "dist", file);
  mkdirSync(path.dirname(to), { recursive: true });
  copyFileSync(from, to);
  for (const { fileName } of ts.preProcessFile(readFileSync(from, "utf8")).importedFiles) {
    if (fileName.startsWith(".")) copyTypes(path.join(path.dirname(file), fileName.replace(/\.js$/, ".d.ts")), seen);
  }
}

const seen = new Set();
for (const file of typed) copyTypes(file, seen);
