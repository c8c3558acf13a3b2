// `rushlight/isolate` on a server that sends no headers: one reload later the page has threads.

import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { furnish, install } from "../lib/apps.mjs";
import { checkAnswers, openApp, serving } from "../lib/checks.mjs";

/** The app, with the service worker where its README says. */
function app() {
  const folder = furnish(install("plain"));
  copyFileSync(path.join(folder, "node_modules/rushlight/dist/isolate-worker.js"), path.join(folder, "isolate-worker.js"));
  return folder;
}

/** Reads from a page that may be reloading; `undefined` while it is. */
const look = (page, script) => page.evaluate(script).catch(() => undefined);

async function until(what, read, patience = 30_000) {
  const end = Date.now() + patience;
  while (!(await read())) {
    if (Date.now() > end) throw new Error(`waited ${patience / 1000} s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isolates(browser, options) {
  return {
    name: `isolate: ${browser}: one reload later the page is isolated and has threads, ${JSON.stringify(options)}`,
    run: (context) =>
      serving(app(), false, async ({ url }) => {
        const page = await openApp(context, browser, `${url}/`);
        assert.equal(await page.evaluate(() => crossOriginIsolated), false);
        // It never answers: the page is reloaded meanwhile.
        void page.evaluate((options) => void globalThis.isolate("/isolate-worker.js", options), options).catch(() => {});
        await until("an isolated page", () => look(page, () => crossOriginIsolated && globalThis.answer !== undefined));
        assert.equal(await page.evaluate(() => globalThis.isolate("/isolate-worker.js")), true);
        return await checkAnswers(page, true);
      }),
  };
}

function refuses(browser) {
  return {
    name: `isolate: ${browser}: where it cannot help it says so, and does not reload for ever`,
    run: (context) =>
      serving(app(), false, async ({ url, state }) => {
        context.expectProblem(/isolate-worker|404|Service ?Worker/i);
        const page = await openApp(context, browser, `${url}/`);
        await page.evaluate(() => (globalThis.before = true));
        // No such file.
        state.missing = /isolate-worker/;
        assert.equal(await page.evaluate(() => globalThis.isolate("/isolate-worker.js")), false);
        state.missing = undefined;
        // Not now.
        assert.equal(await page.evaluate(() => globalThis.isolate("/isolate-worker.js", { reload: false })), false);
        // A reload that did not help.
        await page.evaluate(() => sessionStorage.setItem("rushlight-isolate", "1"));
        assert.equal(await page.evaluate(() => globalThis.isolate("/isolate-worker.js")), false);
        assert.ok(await page.evaluate(() => globalThis.before), "the page was reloaded");
      }),
  };
}

/** A service worker that the page has anyway. */
const OWN = 'addEventListener("fetch", () => {});\n';

/** The path of the script that serves the page. */
const served = async (page) => await look(page, () => navigator.serviceWorker.getRegistration().then((found) => new URL(found.active.scriptURL).pathname));

function leavesAlone(browser) {
  return {
    name: `isolate: ${browser}: a page's own service worker is left alone and can be the one that isolates`,
    run(context) {
      const folder = app();
      writeFileSync(path.join(folder, "own-worker.js"), OWN);
      return serving(folder, false, async ({ url }) => {
        context.expectProblem(/rushlight\/isolate/);
        const page = await openApp(context, browser, `${url}/`);
        await page.evaluate(() => {
          globalThis.before = true;
          globalThis.warnings = [];
          console.warn = (text) => globalThis.warnings.push(text);
          return navigator.serviceWorker.register("/own-worker.js").then(() => navigator.serviceWorker.ready).then(() => undefined);
        });
        for (const script of ["/isolate-worker.js", "/node_modules/rushlight/dist/isolate-worker.js"]) {
          assert.equal(await page.evaluate((script) => globalThis.isolate(script), script), false);
        }
        const [own, scope, ...others] = await page.evaluate(() => globalThis.warnings);
        assert.match(own, /service worker of its own, \/own-worker\.js.+importScripts\("\/isolate-worker\.js"\)/);
        assert.match(scope, /top folder/);
        assert.deepEqual(others, []);
        assert.ok(await page.evaluate(() => globalThis.before), "the page was reloaded");
        assert.equal(await served(page), "/own-worker.js");

        // The site's next version: its worker has the import, and the page gives it to `isolate`.
        writeFileSync(path.join(folder, "own-worker.js"), `importScripts("/isolate-worker.js");\n${OWN}`);
        void page.evaluate(() => void globalThis.isolate("/own-worker.js")).catch(() => {});
        await until("an isolated page", () => look(page, () => crossOriginIsolated && globalThis.answer !== undefined));
        assert.equal(await page.evaluate(() => globalThis.isolate("/own-worker.js")), true);
        assert.equal(await served(page), "/own-worker.js");
        return await checkAnswers(page, true);
      });
    },
  };
}

export default [
  isolates("chromium", {}),
  isolates("chromium", { embedder: "credentialless" }),
  isolates("firefox", {}),
  refuses("chromium"),
  refuses("firefox"),
  leavesAlone("chromium"),
  leavesAlone("firefox"),
];
