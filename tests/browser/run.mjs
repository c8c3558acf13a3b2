// Every browser test, in one process: `node run.mjs [part of a name ...]`. They go through the built page and the built
// package, in Debian's Chromium (tint, SwiftShader) and Firefox (naga, llvmpipe).

import { Context, runAll } from "./lib/harness.mjs";
import { modelFile, requireBuilt } from "./lib/paths.mjs";
import { startServer } from "./lib/server.mjs";
import access from "./tests/access.mjs";
import addresses from "./tests/addresses.mjs";
import ask from "./tests/ask.mjs";
import arrival from "./tests/arrival.mjs";
import chat from "./tests/chat.mjs";
import choosing from "./tests/choosing.mjs";
import asking from "./tests/asking.mjs";
import askingReal from "./tests/asking_real.mjs";
import conversation from "./tests/conversation.mjs";
import conversationReal from "./tests/conversation_real.mjs";
import documents from "./tests/documents.mjs";
import embed from "./tests/embed.mjs";
import embedderFiles from "./tests/embedder_files.mjs";
import failures from "./tests/failures.mjs";
import gpuFaults from "./tests/gpu_faults.mjs";
import keptPage from "./tests/kept_page.mjs";
import longDocument from "./tests/long_document.mjs";
import kernels from "./tests/kernels.mjs";
import largeDocument from "./tests/large_document.mjs";
import lostDevice from "./tests/lost_device.mjs";
import manyFiles from "./tests/many_files.mjs";
import memory from "./tests/memory.mjs";
import offline from "./tests/offline.mjs";
import page from "./tests/page.mjs";
import playground from "./tests/playground.mjs";
import privacy from "./tests/private.mjs";
import reference from "./tests/reference.mjs";
import screens from "./tests/screens.mjs";
import smallModels from "./tests/small_models.mjs";
import smollm from "./tests/smollm.mjs";
import soak from "./tests/soak.mjs";
import split from "./tests/split.mjs";
import stop from "./tests/stop.mjs";
import threads from "./tests/threads.mjs";
import webkit from "./tests/webkit.mjs";

const tests = [
  ...page, // How the page looks, answers to keys and files, and its accessibility.
  ...screens, // Each state of the page, accessible, in pictures.
  ...access, // Keyboard, focus, the visitor's own colours.
  ...addresses, // Any fragment, any folder of any server.
  ...choosing, // Forecasts, models that wait, what a question downloads.
  ...manyFiles, // What of many files cannot be read.
  ...documents, // What becomes of PDFs, HTML and texts.
  ...largeDocument, // 5 MB of text.
  ...asking, // Answers with their sources, and bad input in words.
  ...askingReal, // The same with Gemma and MiniLM.
  ...embedderFiles, // MiniLM from this machine's disk.
  ...conversation, // Turns, Stop, a reload.
  ...conversationReal, // The same with SmolLM2.
  ...playground, // Why the model said that; every control.
  ...privacy, // Nothing leaves the page.
  ...offline, // The page without its server.
  ...keptPage, // The page with a server that does not do as it should.
  ...webkit, // A third engine.
  ...failures, // Each failure with its own message.
  ...lostDevice, // A GPU that goes away.
  ...gpuFaults, // GPUs that do not say what they are, or do not open.
  ...stop, // Stop ends a load, a prefill, a decode.
  ...threads, // Which build runs on how many threads, and that threads come and go.
  ...arrival, // Files are stored, resumed, shared between tabs, refused.
  ...split, // Models in parts.
  ...memory, // Where the bytes are, and how long the header takes.
  ...kernels, // Every shader through both compilers, every kernel case on both backends.
  ...smallModels, // Random models of every architecture and type against llama.cpp's numbers.
  ...soak, // Many answers in one page: nothing grows.
  ...chat, // Turns, saved conversations, prefixes, plans.
  ...smollm, // A real chat model: turns, reuse, a full context.
  ...embed, // MiniLM's vectors against the reference, from safetensors.
  ...ask, // Questions about a document, as the command line answers them.
  ...longDocument, // One that is not embedded before it is asked.
  ...reference, // Gemma's tokens against the reference.
];

requireBuilt("www/dist/index.html");
requireBuilt("pkg/dist/index.js");
for (const build of ["compat", "full"]) requireBuilt(`pkg/wasm/${build}/rushlight_bg.wasm`);
modelFile();

const server = await startServer();
const code = await runAll(tests, new Context(server), process.argv.slice(2));
server.close();
process.exit(code);
