// The package as `npm pack` makes it, installed into apps that know nothing of this repository.

import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";

import { inRepository } from "../../browser/lib/paths.mjs";
import { SMALL_MODELS, writeSmallModels } from "../../browser/lib/small_models.mjs";

/** Where apps are installed; what npm fetched stays there from run to run. */
const WORKPLACE = inRepository("target/package-apps");

/** The model that lies beside each page. */
const MODEL = "gemma3-f32-64.gguf";

/** How long a development server may take to start. */
const PATIENCE_MS = 60_000;

/** Installing must not look at what is about us. */
const QUIET = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"];

function run(program, parameters, cwd) {
  try {
    return execFileSync(program, parameters, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new Error(`${path.basename(program)} ${parameters.join(" ")} in ${cwd}:\n${error.stdout}${error.stderr}`, { cause: error });
  }
}

let packed;

/** The tarball. Its name has its hash, so that npm never takes an older one for it. */
export function tarball() {
  if (packed === undefined) {
    const folder = path.join(WORKPLACE, "tarball");
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const said = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", folder], inRepository("pkg")));
    const file = path.join(folder, (Array.isArray(said) ? said[0] : Object.values(said)[0]).filename);
    packed = path.join(folder, `rushlight-${createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 16)}.tgz`);
    renameSync(file, packed);
  }
  return packed;
}

const installed = new Map();

/** Copies a template and installs what its lock file says, and the tarball. Gives the app's folder. */
export function install(name) {
  if (!installed.has(name)) {
    const template = inRepository("tests/package", name);
    const folder = path.join(WORKPLACE, name);
    cpSync(template, folder, { recursive: true, filter: (file) => !file.includes("node_modules") });
    run("npm", ["install", "--no-save", ...QUIET, tarball()], folder);
    installed.set(name, folder);
  }
  return installed.get(name);
}

/** Puts into a folder what every page needs: the model, an icon, the code that the apps share. */
export function furnish(folder, scripts = folder) {
  writeSmallModels();
  mkdirSync(folder, { recursive: true });
  copyFileSync(path.join(SMALL_MODELS, MODEL), path.join(folder, "model.gguf"));
  copyFileSync(inRepository("www/public/flame.svg"), path.join(folder, "icon.svg"));
  copyFileSync(inRepository("tests/package/shared/answer.js"), path.join(scripts, "answer.js"));
  return folder;
}

/** Runs a script of the app's package.json. */
export function build(folder) {
  run("npm", ["run", "--silent", "build"], folder);
}

/** Starts Vite's development server on a free port; gives its address and what ends it. */
export async function develop(folder, parameters = []) {
  // As after a fresh install: what an earlier run bundled beforehand is not taken.
  rmSync(path.join(folder, "node_modules/.vite"), { recursive: true, force: true });
  const program = path.join(folder, "node_modules/.bin/vite");
  const server = spawn(program, ["--port", "0", "--host", "localhost", "--logLevel", "info", ...parameters], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const url = await new Promise((resolve, reject) => {
    const fail = () => reject(new Error(`Vite's development server did not start:\n${said}`));
    const timer = setTimeout(fail, PATIENCE_MS);
    const hear = (text) => {
      said += text;
      const found = /Local:\s+(http:\/\/localhost:\d+)/.exec(said);
      if (found === null) return;
      clearTimeout(timer);
      resolve(found[1]);
    };
    server.stdout.setEncoding("utf8").on("data", hear);
    server.stderr.setEncoding("utf8").on("data", hear);
    server.on("exit", fail);
  });
  return { url, close: () => server.kill() };
}
