// An app without a word of configuration, as webpack builds it.

import { copyFileSync } from "node:fs";
import path from "node:path";

import { build, furnish, install } from "../lib/apps.mjs";
import { checkAnswers, openApp, serving } from "../lib/checks.mjs";

let built;

/** The folder that is built, with the page that webpack leaves to others; once. */
function output() {
  if (built === undefined) {
    const folder = install("webpack");
    built = path.join(folder, "dist");
    furnish(built, path.join(folder, "src"));
    build(folder);
    copyFileSync(path.join(folder, "index.html"), path.join(built, "index.html"));
  }
  return built;
}

function answers(isolated, name = "answer") {
  const how = name === "answer" ? "" : ", through a worker that the app starts";
  return {
    name: `webpack: its build answers ${isolated ? "isolated" : "as any server sends it"}${how}`,
    run: (context) =>
      serving(output(), isolated, async ({ url }) => await checkAnswers(await openApp(context, "chromium", `${url}/`), isolated, name)),
  };
}

export default [answers(true), answers(false), answers(true, "answerThroughOwnWorker")];
