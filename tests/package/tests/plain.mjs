// A page that imports the package's modules by their addresses, under the policy `script-src 'self' 'wasm-unsafe-eval'`.

import { furnish, install } from "../lib/apps.mjs";
import { checkAnswers, openApp, serving } from "../lib/checks.mjs";

const app = () => furnish(install("plain"));

function answers(browser, isolated) {
  return {
    name: `plain: ${browser}: answers ${isolated ? "isolated" : "as any server sends it"}`,
    run: (context) =>
      serving(app(), isolated, async ({ url }) => await checkAnswers(await openApp(context, browser, `${url}/`), isolated)),
  };
}

function ownWorker(browser) {
  return {
    name: `plain: ${browser}: answers through a worker that the page starts`,
    run: (context) =>
      serving(app(), true, async ({ url }) => {
        const page = await openApp(context, browser, `${url}/`);
        return await checkAnswers(page, true, "answerThroughOwnWorker");
      }),
  };
}

export default [
  answers("chromium", true),
  answers("chromium", false),
  answers("firefox", true),
  answers("firefox", false),
  ownWorker("chromium"),
  ownWorker("firefox"),
];
