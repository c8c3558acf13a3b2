// An app without a word of configuration, as Vite builds it and as its development server serves it.

import assert from "node:assert/strict";
import path from "node:path";

import { build, develop, furnish, install } from "../lib/apps.mjs";
import { checkAnswers, openApp, serving } from "../lib/checks.mjs";

/** Installed, with what lies in `public` and `src`. */
function app() {
  const folder = install("vite");
  furnish(path.join(folder, "public"), path.join(folder, "src"));
  return folder;
}

let built;

/** The folder that is built; once. */
function output() {
  if (built === undefined) {
    const folder = app();
    build(folder);
    built = path.join(folder, "dist");
  }
  return built;
}

function answers(isolated) {
  return {
    name: `vite: its build answers ${isolated ? "isolated" : "as any server sends it"}`,
    run: (context) =>
      serving(output(), isolated, async ({ url }) => await checkAnswers(await openApp(context, "chromium", `${url}/`), isolated)),
  };
}

function develops(isolated) {
  return {
    name: `vite: its development server answers ${isolated ? "isolated" : "without configuration"}`,
    async run(context) {
      const server = await develop(app(), isolated ? ["--config", "isolated.config.js"] : []);
      try {
        return await checkAnswers(await openApp(context, "chromium", `${server.url}/`), isolated);
      } finally {
        server.close();
      }
    },
  };
}

/** What the component shows. */
const read = (page) =>
  page.evaluate(() => ({
    state: document.querySelector("main")?.dataset.state,
    answer: document.querySelector("#answer")?.textContent,
    error: document.querySelector("#error")?.textContent,
  }));

const hooks = {
  name: "vite: the hooks for React load once in strict mode, answer, stop, say what failed, and end with their component",
  run: (context) =>
    serving(output(), false, async ({ url }) => {
      context.expectProblem(/404/);
      const page = await openApp(context, "chromium", `${url}/`);
      await page.evaluate(() => globalThis.mount("model.gguf"));
      await page.waitFor("the model", () => document.querySelector("main").dataset.state === "ready");
      await page.click("#ask");
      await page.waitFor("an answer", () => document.querySelector("#answer").textContent !== "" && document.querySelector("main").dataset.state === "ready");
      const { answer, error } = await read(page);
      assert.equal(error, "");
      // A second answer takes the place of the first; one that is stopped is no error.
      await page.evaluate(() => {
        document.querySelector("#ask").click();
        document.querySelector("#stop").click();
      });
      await page.waitFor("the end", () => document.querySelector("main").dataset.state === "ready");
      assert.equal((await read(page)).error, "");
      assert.ok(answer.startsWith((await read(page)).answer));
      await page.evaluate(() => globalThis.unmount());
      await page.waitFor("an empty page", () => document.querySelector("main") === null);
      await page.evaluate(() => globalThis.mount("no-such-model.gguf"));
      await page.waitFor("the failure", () => document.querySelector("main").dataset.state === "ERR_NETWORK");
    }),
};

export default [answers(true), answers(false), develops(false), develops(true), hooks];
