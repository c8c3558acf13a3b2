// The package from its tarball, in apps of other people's tools: `node tests/package/run.mjs [part of a name ...]`. Each is
// installed from scratch, built as its tool does by itself, and has to let a model write in a browser.

import { Context, runAll } from "../browser/lib/harness.mjs";
import { requireBuilt } from "../browser/lib/paths.mjs";
import isolate from "./tests/isolate.mjs";
import plain from "./tests/plain.mjs";
import readme from "./tests/readme.mjs";
import vite from "./tests/vite.mjs";
import webpack from "./tests/webpack.mjs";

requireBuilt("pkg/dist/index.js");
for (const build of ["compat", "full"]) requireBuilt(`pkg/wasm/${build}/rushlight_bg.wasm`);

const tests = [
  ...plain, // Without a bundler.
  ...readme, // The examples of the README.
  ...isolate, // The service worker that makes a page cross-origin isolated.
  ...vite, // Vite's build and its development server; the hooks for React.
  ...webpack,
];
process.exit(await runAll(tests, new Context(), process.argv.slice(2)));
