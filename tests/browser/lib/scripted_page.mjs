// The page built with a stand-in for the package (scripted/rushlight.mjs), which goes on when a test says so. States that last
// moments, and failures that a machine would have to be brought into, hold still there.

import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { inRepository } from "./paths.mjs";

/** Where it is built to, and served from as /scripted/. */
export const SCRIPTED_PAGE = inRepository("target/scripted-page");

const STAND_IN = path.resolve(import.meta.dirname, "../scripted/rushlight.mjs");

const built = new Map();

/** Builds it, once a run, with the page's own Vite and settings; with another `base` under another `name`. Gives its folder. */
export function buildScriptedPage({ base, name = "" } = {}) {
  const folder = SCRIPTED_PAGE + (name && `-${name}`);
  if (!built.has(folder)) built.set(folder, build(folder, base));
  return built.get(folder);
}

async function build(folder, base) {
  const vite = inRepository("www/node_modules/vite/dist/node/index.js");
  if (!existsSync(vite)) throw new Error("the page's packages are not installed: run `cargo xtask build-web`");
  const { build: viteBuild } = await import(pathToFileURL(vite));
  await viteBuild({
    root: inRepository("www"),
    configFile: inRepository("www/vite.config.js"),
    logLevel: "warn",
    ...(base === undefined ? {} : { base }),
    resolve: { alias: [{ find: /^rushlight$/, replacement: STAND_IN }] },
    build: { outDir: folder, emptyOutDir: true },
  });
  return folder;
}

/** Opens it. */
export async function scriptedPage(context, fragment = "", options = {}) {
  await buildScriptedPage();
  const page = await context.page("chromium", `/scripted/${fragment}`, options);
  await page.waitFor("the page", () => globalThis.scripted !== undefined && document.querySelector("#question") !== null);
  return page;
}
