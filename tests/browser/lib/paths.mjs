// Where the built things and the model are.

import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** The repository. */
export const ROOT = path.resolve(import.meta.dirname, "../../..");

/** A path below the repository. */
export const inRepository = (...parts) => path.join(ROOT, ...parts);

/** The model's name below /models/. */
export const MODEL = "gemma-3-270m-q4_k_m.gguf";

/** The model file, or an error that says how to get it. */
export function modelFile() {
  const cache = process.env.XDG_CACHE_HOME || path.join(homedir(), ".cache");
  const file = process.env.RUSHLIGHT_MODEL ?? path.join(cache, "rushlight/models", MODEL);
  if (!existsSync(file)) throw new Error(`there is no model at ${file}: run \`cargo xtask fetch-model\``);
  return file;
}

/** The chat model's name below /models/. */
export const SMOLLM = "SmolLM2-135M-Instruct.Q4_1.gguf";

/** SmolLM2-135M-Instruct; what is not there is found out when it is asked for. */
export function smollmFile() {
  const cache = process.env.XDG_CACHE_HOME || path.join(homedir(), ".cache");
  return process.env.RUSHLIGHT_SMOLLM ?? path.join(cache, "rushlight/models", SMOLLM);
}

/** The folder of all-MiniLM-L6-v2; what is not there is found out when it is asked for. */
export function minilmFolder() {
  const cache = process.env.XDG_CACHE_HOME || path.join(homedir(), ".cache");
  return process.env.RUSHLIGHT_MINILM ?? path.join(cache, "rushlight/models/all-MiniLM-L6-v2");
}

/** Fails unless page and package are built. */
export function requireBuilt(...parts) {
  const file = inRepository(...parts);
  if (!existsSync(file)) throw new Error(`${parts.join("/")} is missing: run \`cargo xtask build-web\``);
  return file;
}
