// After one visit the page opens without a server: the service worker has it, PDF reader and both builds of the core included.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";

import { failed, fillIn, generate, load, open, read } from "../lib/page.mjs";
import { inRepository, MODEL, modelFile } from "../lib/paths.mjs";
import { startServer } from "../lib/server.mjs";

/** In the page: whether the service worker has everything. */
const kept = async () => (await navigator.serviceWorker.ready).active?.state === "activated";

export default [
  {
    name: "offline: after the first visit the page opens, reads documents and answers with the server gone",
    async run(context) {
      // A server of its own, since it goes away.
      const server = await startServer();
      context.expectProblem(/ERR_CONNECTION_REFUSED|Failed to fetch|Failed to load resource/);
      const page = await context.page("chromium", "/test/package.html");
      await page.goto(`${server.url}/`);
      await page.waitFor("the service worker", kept);
      server.close();
      await page.goto(`${server.url}/?prompt=The%20capital%20of%20France%20is#playground`);
      await page.waitFor("the page", () => document.querySelector("#prompt")?.value === "The capital of France is");
      assert.ok(await page.evaluate(() => navigator.serviceWorker.controller !== null));
      assert.ok(await page.evaluate(() => globalThis.crossOriginIsolated), "the headers are kept too");

      // A model's file is the package's to keep; one of the visitor's needs no network at all.
      await open(page, "models");
      await page.setFile("#model-file", modelFile());
      await page.waitFor("the model", () => document.body.dataset.state === "ready", undefined, 120_000);
      await fillIn(page, { maxTokens: 2 });
      const { failure, tokens, facts } = await generate(page);
      assert.equal(failure, null, failure?.text);
      assert.equal(tokens[0].text, " the");
      assert.equal(facts.build.value, "full");

      // The PDF reader comes only with the first PDF, so that this is its first time.
      await open(page, "ask");
      const broken = { name: "broken.pdf", mimeType: "application/pdf", buffer: Buffer.from("%PDF-1.7 no") };
      await page.setFile("#document-file", broken);
      await page.waitFor("a message", failed);
      assert.equal((await read(page)).failure.code, "ERR_PDF");
      return `threads: ${facts.threads.value}`;
    },
  },
  {
    name: "offline: a model that was fetched once loads again with the server gone",
    async run(context) {
      const server = await startServer();
      context.expectProblem(/ERR_CONNECTION_REFUSED|Failed to fetch|Failed to load resource/);
      const page = await context.page("chromium", "/test/package.html");
      await page.goto(`${server.url}/#models`);
      await page.waitFor("the page", () => document.querySelector("#load") !== null);
      await fillIn(page, { model: `/models/${MODEL}`, backend: "cpu" });
      await load(page);
      await page.waitFor("the model", () => document.body.dataset.state === "ready", undefined, 120_000);
      await page.waitFor("the service worker", kept);
      server.close();
      await page.goto(`${server.url}/#playground`);
      await page.waitFor("the page", () => document.querySelector("#generate") !== null);
      await fillIn(page, { model: `/models/${MODEL}`, backend: "cpu", maxTokens: 2 });
      const { failure, tokens } = await generate(page);
      assert.equal(failure, null, failure?.text);
      assert.equal(tokens.length, 2);
    },
  },
  {
    name: "offline: it can be installed: manifest, icons, service worker",
    async run(context) {
      const page = await context.page("chromium");
      await page.waitFor("the service worker", kept);
      const session = await page.playwright.context().newCDPSession(page.playwright);
      const { data, errors } = await session.send("Page.getAppManifest");
      assert.deepEqual(errors, []);
      const manifest = JSON.parse(data);
      assert.equal(manifest.display, "standalone");
      const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
      // A window without a profile of its own is never asked to install; everything else would be a fault of ours.
      assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), []);
      for (const { src } of manifest.icons) {
        const drawn = await page.evaluate(async (src) => {
          const image = new Image();
          image.src = src;
          await image.decode();
          return image.naturalWidth > 0;
        }, src);
        assert.ok(drawn, src);
      }
      const names = await page.evaluate(async () => {
        const store = await caches.open((await caches.keys()).find((name) => name.startsWith("rushlight-page ")));
        return (await store.keys()).map(({ url }) => new URL(url).pathname);
      });
      const built = readdirSync(inRepository("www/dist/assets")).map((name) => `/assets/${name}`);
      assert.deepEqual(built.filter((name) => !names.includes(name)), [], "everything that was built is kept");
      return `${names.length} files are kept`;
    },
  },
];
