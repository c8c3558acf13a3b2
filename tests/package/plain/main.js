import { isolate } from "./node_modules/rushlight/dist/isolate.js";
import { loadModel } from "./node_modules/rushlight/dist/index.js";
import { answer } from "./answer.js";

globalThis.answer = (options) => answer(loadModel, options);

/** With a worker that the page itself starts, in both forms that the option describes. */
globalThis.answerThroughOwnWorker = (options) =>
  answer(loadModel, {
    ...options,
    worker: () => new Worker("node_modules/rushlight/dist/worker.js", { type: "module" }),
  });

globalThis.isolate = isolate;
