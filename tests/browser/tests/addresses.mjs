// The page's own address: any fragment, any folder of any server, more than one copy of it on a server.

import assert from "node:assert/strict";

import { violations } from "../lib/axe.mjs";
import { open } from "../lib/page.mjs";
import { printed } from "../lib/pdf.mjs";
import { inRepository } from "../lib/paths.mjs";
import { buildScriptedPage, scriptedPage } from "../lib/scripted_page.mjs";
import { startServer } from "../lib/server.mjs";

/** The part of the page that is shown; `null` where none or several are. */
const shownPart = (page) =>
  page.evaluate(() => {
    const shown = [...document.querySelectorAll("main > section")].filter((section) => !section.hidden);
    return shown.length === 1 ? shown[0].id : null;
  });

/** Names that every object has, and others that no part of the page is called. */
const FRAGMENTS = [...Object.getOwnPropertyNames(Object.prototype), "nothing", "%E0%A4%A", "models/", ""];

/** A server that has the page in folders of it, and what it was asked for outside of them. */
async function serverWith(folders) {
  const server = await startServer();
  server.state.folders = [...folders, ["/", inRepository("tests/browser/pages")]];
  server.state.requests = [];
  return server;
}

/** In the page: whether its service worker has everything. */
const kept = async () => (await navigator.serviceWorker.getRegistration())?.active?.state === "activated";

function inFolder(base) {
  return {
    name: `addresses: built with the base ${base} and served below /some/sub/, everything is asked for there`,
    async run(context) {
      const folder = await buildScriptedPage({ base, name: base === "./" ? "relative" : "sub" });
      const server = await serverWith([["/some/sub/", folder]]);
      try {
        const pdf = await printed(context, "<!doctype html><p>The ferry leaves at noon.</p>");
        const page = await context.page("chromium", "/test/selftest_pool.js");
        await page.goto(`${server.url}/some/sub/`);
        await page.waitFor("the page", () => document.querySelector("#question") !== null);
        await page.waitFor("the service worker", kept);
        await page.setFile("#document-file", { name: "ferry.pdf", mimeType: "application/pdf", buffer: pdf });
        await page.waitFor("the document", () => document.querySelector("#reader-title")?.textContent === "ferry.pdf");
        await page.fill("#question", "When?");
        await page.click("#ask-button");
        await page.waitFor("an answer", () => document.querySelector("#found-text") !== null);
        await open(page, "models");
        await page.waitFor("the end", () => document.body.dataset.state === "ready");
        await page.click("#plan");
        await page.waitFor("a plan", () => document.querySelector("#planned") !== null);
        const { models, manifest, icons, scope } = await page.evaluate(async () => {
          const link = document.querySelector("link[rel=manifest]").href;
          const { icons, start_url: start } = await (await fetch(link)).json();
          const found = await Promise.all(icons.map(async ({ src }) => (await fetch(new URL(src, link))).ok));
          return {
            models: globalThis.scripted.calls.filter(({ address }) => address !== undefined).map(({ address }) => new URL(address).pathname),
            manifest: [new URL(link).pathname, new URL(start, link).pathname],
            icons: found,
            scope: new URL((await navigator.serviceWorker.ready).scope).pathname,
          };
        });
        assert.deepEqual([...new Set(models)], ["/some/sub/models/gemma-3-270m-q4_k_m.gguf", "/some/sub/models/all-MiniLM-L6-v2/"]);
        assert.deepEqual(manifest, ["/some/sub/manifest.webmanifest", "/some/sub/"]);
        assert.deepEqual(icons, [true, true]);
        assert.equal(scope, "/some/sub/");
        const outside = server.state.requests.map(({ url }) => url).filter((url) => !url.startsWith("/some/sub/") && url !== "/favicon.ico");
        assert.deepEqual(outside, []);
        server.close();
        context.expectProblem(/ERR_CONNECTION_REFUSED|Failed to load resource/);
        await page.goto(`${server.url}/some/sub/?prompt=offline#playground`);
        await page.waitFor("the page without its server", () => document.querySelector("#prompt")?.value === "offline");
      } finally {
        server.close();
      }
    },
  };
}

export default [
  {
    name: "addresses: no fragment blanks the page",
    async run(context) {
      const page = await scriptedPage(context);
      for (const fragment of FRAGMENTS) {
        await page.goto("about:blank");
        await page.goto(context.url(`/scripted/#${fragment}`));
        await page.waitFor("the page", () => document.querySelector("#question") !== null);
        assert.equal(await shownPart(page), "ask", `opened with #${fragment}`);
        await page.evaluate(() => (location.hash = "#models"));
        await page.waitFor("the models", () => !document.querySelector("#models").hidden);
        await page.evaluate((fragment) => (location.hash = `#${fragment}`), fragment);
        await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 30)));
        assert.notEqual(await shownPart(page), null, `gone to #${fragment}`);
        assert.doesNotMatch(await page.evaluate(() => document.title), /undefined|function|object/);
      }
      // The same of the ends of files' names.
      const names = Object.getOwnPropertyNames(Object.prototype).map((name) => `notes.${name}`);
      await page.goto("about:blank");
      await page.goto(context.url("/scripted/"));
      await page.waitFor("the page", () => document.querySelector("#question") !== null);
      await page.setFile("#document-file", names.map((name) => ({ name, mimeType: "", buffer: Buffer.from("Two words.") })));
      await page.waitFor("the documents", (count) => document.querySelectorAll(".document-list li").length === count, names.length);
      const sizes = await page.evaluate(() => [...document.querySelectorAll(".document-size")].map((each) => each.textContent));
      assert.deepEqual([...new Set(sizes)], ["Text · 2 words"]);
      assert.deepEqual(await violations(page), []);
    },
  },
  inFolder("./"),
  inFolder("/some/sub/"),
  {
    name: "addresses: two copies of the page in folders of one server do not take each other's files away",
    async run(context) {
      const folder = await buildScriptedPage();
      const other = await buildScriptedPage({ base: "/b/", name: "other" });
      const server = await serverWith([["/a/", folder], ["/b/", other]]);
      try {
        const page = await context.page("chromium", "/test/selftest_pool.js");
        for (const path of ["/a/", "/b/", "/a/"]) {
          await page.goto(server.url + path);
          await page.waitFor("the page", () => document.querySelector("#question") !== null);
          await page.waitFor("the service worker", kept);
        }
        server.close();
        context.expectProblem(/ERR_CONNECTION_REFUSED|Failed to load resource/);
        for (const path of ["/b/", "/a/"]) {
          await page.goto(`${server.url}${path}#device`);
          await page.waitFor(`${path} without its server`, () => document.querySelector("#device")?.hidden === false);
        }
      } finally {
        server.close();
      }
    },
  },
];
