// Every browser test, in one process: `node run.mjs [part of a name ...]`. They go through the built page and the built
// package, in Debian's Chromium (tint, SwiftShader) and Firefox (naga, llvmpipe).

import { Context } from "./lib/harness.mjs";
import { modelFile, requireBuilt } from "./lib/paths.mjs";
import { startServer } from "./lib/server.mjs";
import ask from "./tests/ask.mjs";
import embed from "./tests/embed.mjs";
import failures from "./tests/failures.mjs";
import kernels from "./tests/kernels.mjs";
import lostDevice from "./tests/lost_device.mjs";
import memory from "./tests/memory.mjs";
import page from "./tests/page.mjs";
import reference from "./tests/reference.mjs";
import smallModels from "./tests/small_models.mjs";
import soak from "./tests/soak.mjs";
import stop from "./tests/stop.mjs";
import threads from "./tests/threads.mjs";

const filters = process.argv.slice(2);
const tests = [
  ...page, // How the page looks, answers to keys and files, and its accessibility.
  ...failures, // Each failure with its own message.
  ...lostDevice, // A GPU that goes away.
  ...stop, // Stop ends a load, a prefill, a decode.
  ...threads, // Which build runs on how many threads, and that threads come and go.
  ...memory, // Where the bytes are, and how long the header takes.
  ...kernels, // Every shader through both compilers, every kernel case on both backends.
  ...smallModels, // Random models of every architecture and type against llama.cpp's numbers.
  ...soak, // Many answers in one page: nothing grows.
  ...embed, // MiniLM's vectors against the reference, from safetensors.
  ...ask, // Questions about a document, as the command line answers them.
  ...reference, // Gemma's tokens against the reference.
].filter(({ name }) => filters.length === 0 || filters.some((part) => name.includes(part)));

requireBuilt("www/dist/index.html");
requireBuilt("pkg/dist/index.js");
for (const build of ["compat", "full"]) requireBuilt(`pkg/wasm/${build}/rushlight_bg.wasm`);
modelFile();
if (tests.length === 0) {
  console.error(`no browser test is called like ${filters.join(" or ")}`);
  process.exit(2);
}

const server = await startServer();
const context = new Context(server);
let failed = 0;
for (const test of tests) {
  const began = performance.now();
  const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
  try {
    const note = await context.run(test);
    console.log(`ok    ${test.name} (${seconds()})${note === undefined ? "" : `: ${note}`}`);
  } catch (error) {
    failed++;
    console.log(`FAILED ${test.name} (${seconds()})\n${String(error.stack).replace(/^/gm, "      ")}`);
  }
}
await context.close();
server.close();
console.log(`\n${tests.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
