// The page that the service worker keeps is shown when the network fails in whatever way, and soon; what is kept is only ever replaced by
// a whole page. The package is a stand-in here.

import assert from "node:assert/strict";

import { inRepository } from "../lib/paths.mjs";
import { buildScriptedPage } from "../lib/scripted_page.mjs";
import { startServer } from "../lib/server.mjs";

const PAGE = "/kept/";

/** How soon something is seen, with what this machine may take to draw it. */
const SOON_MS = 8000;

/** What a network may do to the page instead of sending it, by the answer and the usual headers. */
const FAULTS = {
  "breaks the connection": (answer) => answer.destroy(),
  "never answers": () => {},
  "stops in the middle": (answer, headers) => {
    answer.writeHead(200, { ...headers, "content-type": "text/html", "content-length": 5000 });
    answer.write("<!doctype html><title>Half of it</title>");
  },
  "breaks off in the middle": (answer, headers) => {
    answer.writeHead(200, { ...headers, "content-type": "text/html", "content-length": 5000 });
    answer.write("<!doctype html><title>Half of it</title>");
    setTimeout(() => answer.destroy(), 200);
  },
  "sends it elsewhere, to log in": (answer, headers) => answer.writeHead(302, { ...headers, location: "/test/login.html" }).end(),
  ...Object.fromEntries(
    [404, 429, 500, 502, 503, 504].map((status) => [
      `says ${status}`,
      (answer, headers) => answer.writeHead(status, { ...headers, "content-type": "text/html" }).end("<!doctype html><title>Bad gateway</title>Bad gateway"),
    ]),
  ),
};

const stored = () => caches.keys().then(async ([name]) => (await (await caches.open(name)).match(new URL("index.html", location.href))).text());

export default Object.entries(FAULTS).map(([what, fault]) => ({
  name: `kept page: it is shown soon where the network ${what}`,
  async run(context) {
    context.expectProblem(/Failed to load resource|ERR_/);
    const server = await startServer();
    server.state.folders = [[PAGE, await buildScriptedPage()], ["/", inRepository("tests/browser/pages")]];
    try {
      const page = await context.page("chromium", "/test/selftest_pool.js");
      await page.goto(server.url + PAGE);
      await page.waitFor("the service worker", async () => (await navigator.serviceWorker.getRegistration())?.active?.state === "activated");
      const before = await page.evaluate(stored);
      let asked = 0;
      server.state.intercept = ({ url }, answer, headers) => {
        if (new URL(url, server.url).pathname !== PAGE) return false;
        asked++;
        fault(answer, headers);
        return true;
      };
      const began = Date.now();
      await page.goto(`${server.url}${PAGE}?prompt=kept#playground`);
      await page.waitFor("the page", () => document.querySelector("#prompt")?.value === "kept");
      const took = Date.now() - began;
      assert.ok(asked > 0, "the network comes first");
      assert.ok(took < SOON_MS, `${took} ms`);
      assert.ok(await page.evaluate(() => crossOriginIsolated), "the headers are kept too");
      assert.equal(await page.evaluate(stored), before);

      // Once the network is well again, what it has is shown.
      server.state.intercept = ({ url }, answer, headers) => {
        if (new URL(url, server.url).pathname !== PAGE) return false;
        answer.writeHead(200, { ...headers, "content-type": "text/html; charset=utf-8" }).end(before.replace("<head>", '<head><meta name="newer" content="yes">'));
        return true;
      };
      await page.goto(`${server.url}${PAGE}?again`);
      await page.waitFor("the newer page", () => document.querySelector("#question") !== null && document.querySelector("meta[name=newer]") !== null);
      return `${took} ms`;
    } finally {
      server.close();
    }
  },
}));
