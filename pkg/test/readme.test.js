// The README against the package: its examples compile as they stand, its table has every error, its figures hold.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

import ts from "typescript";

const root = path.resolve(import.meta.dirname, "..");
const read = (...parts) => readFileSync(path.join(root, ...parts), "utf8");
const readme = read("README.md");

/** The codes in a text, each once, sorted. */
const codes = (text, pattern = /\b(ERR_[A-Z_]+)\b/g) => [...new Set([...text.matchAll(pattern)].map(([, code]) => code))].sort();

test("every example compiles against the built package", () => {
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  assert.ok(blocks.length >= 8, `${blocks.length} examples`);
  // They lie in the package's own folder, so that its name resolves through its own exports.
  const files = new Map(blocks.map((code, at) => [path.join(root, "test", `readme-${at + 1}.ts`), code]));
  const { options, errors } = ts.parseJsonConfigFileContent(ts.readConfigFile(path.join(root, "tsconfig.json"), ts.sys.readFile).config, ts.sys, root);
  assert.deepEqual(errors, []);
  Object.assign(options, { noEmit: true, rootDir: root, skipLibCheck: true });
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.readFile = (file) => files.get(file) ?? readFile(file);
  host.getSourceFile = (file, ...rest) =>
    files.has(file) ? ts.createSourceFile(file, files.get(file), rest[0]) : getSourceFile(file, ...rest);
  const program = ts.createProgram([...files.keys()], options, host);
  const said = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const where = file === undefined ? "" : `${path.basename(file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}: `;
    return where + ts.flattenDiagnosticMessageText(messageText, "\n");
  });
  assert.deepEqual(said, []);
});

test("every import in the examples is an entry of the package or somebody else's", () => {
  const { exports } = JSON.parse(read("package.json"));
  for (const [, name] of readme.matchAll(/from "rushlight(\/[\w-]+)?"/g)) assert.ok(`.${name ?? ""}` in exports, name);
});

test("every error has a row that says what to do, and every row an error", () => {
  const source = read("src/errors.ts");
  const [comment, union] = source.split("export type ErrorCode =");
  const typed = codes(union.slice(0, union.indexOf(";")));
  const rows = [...readme.matchAll(/^\| `(ERR_[A-Z_]+)` \| (.+) \| (.+) \|$/gm)];
  assert.deepEqual(rows.map(([, code]) => code), typed);
  assert.deepEqual(codes(comment), typed, "the documentation of ErrorCode");
  for (const [, code, what, remedy] of rows) assert.ok(what.length > 10 && remedy.length > 10, code);
});

/** Rooms of the crate that are not in the tab: programs, the server, the tests' own build. */
const ELSEWHERE = /^(bin|serve\.rs|selftest\.rs)/;

test("every error that the core has is known to the package", () => {
  const sources = path.join(root, "../src");
  const files = readdirSync(sources, { recursive: true }).filter((name) => name.endsWith(".rs") && !ELSEWHERE.test(name));
  const thrown = files.flatMap((name) => codes(readFileSync(path.join(sources, name), "utf8"), /"(ERR_[A-Z_]+)"/g));
  assert.ok(thrown.length > 10);
  const known = codes(read("src/errors.ts"));
  // The tests' own build of the core, which is not published.
  assert.deepEqual([...new Set(thrown)].filter((code) => !known.includes(code) && code !== "ERR_SELFTEST"), []);
});
