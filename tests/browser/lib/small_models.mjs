// The small random models of tests/small as files that a browser can fetch.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";

import { inRepository } from "./paths.mjs";

/** Where they are written, and served from as /small-models/. */
export const SMALL_MODELS = inRepository("target/small-models");

let bounds;

/** Writes `NAME.gguf`, once, and gives the error that is allowed for each name; cargo has built the generator with the native tests. */
export function writeSmallModels() {
  if (bounds === undefined) {
    const generator = ["run", "--quiet", "--example", "small_models", "--", SMALL_MODELS];
    execFileSync(process.env.CARGO ?? "cargo", generator, { cwd: inRepository(), stdio: ["ignore", "ignore", "inherit"] });
    bounds = JSON.parse(readFileSync(path.join(SMALL_MODELS, "bounds.json"), "utf8"));
  }
  return bounds;
}
