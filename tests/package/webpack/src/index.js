import { loadModel } from "rushlight";
import { answer } from "./answer.js";

globalThis.answer = (options) => answer(loadModel, options);

/** With a worker that the app itself starts. */
globalThis.answerThroughOwnWorker = (options) =>
  answer(loadModel, { ...options, worker: () => new Worker(new URL("rushlight/worker", import.meta.url)) });
