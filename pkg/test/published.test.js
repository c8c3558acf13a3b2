// The package as other people's tools judge it: how its entries resolve, and whether their types are found.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import path from "node:path";
import { test } from "node:test";

import { publint } from "publint";
import { formatMessage } from "publint/utils";

const root = path.resolve(import.meta.dirname, "..");

test("publint finds nothing", async () => {
  const { messages, pkg } = await publint({ pkgDir: root, strict: true, level: "suggestion" });
  assert.deepEqual(messages.map((message) => formatMessage(message, pkg, { color: false })), []);
});

test("TypeScript finds the types of every entry, as Are The Types Wrong sees it", () => {
  // The service worker is a script to copy, without types. `require` of the package is not offered.
  const program = path.join(root, "node_modules/.bin/attw");
  const judged = ["--pack", root, "--profile", "esm-only", "--exclude-entrypoints", "isolate-worker.js", "--no-emoji", "--no-color"];
  // It fails for whatever it finds.
  const said = execFileSync(program, judged, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  for (const entry of ["", "/worker", "/openai", "/ai-sdk", "/react", "/isolate"]) {
    assert.match(said, new RegExp(`"rushlight${entry}" +│ OK \\(ESM\\) +│ OK `));
  }
});
