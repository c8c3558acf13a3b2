// The few parts of a test runner that browsers need: they start once, pages end with their test, and whatever a page
// complains of fails the test.

import { setTimeout as sleep } from "node:timers/promises";

import { openBrowser } from "./browsers.mjs";

/** No test takes as long unless something hangs. */
const LIMIT_MS = 10 * 60_000;

/** What a test is given. */
export class Context {
  #browsers = new Map();
  #pages = [];
  #expected = [];

  constructor(server) {
    this.server = server;
  }

  /** Address of a path on the test server, or of any other server. */
  url(path) {
    return this.server === undefined ? path : new URL(path, this.server.url).href;
  }

  /** A new page, closed when the test ends. */
  async page(browserName, path = "/", options = {}) {
    if (!this.#browsers.has(browserName)) this.#browsers.set(browserName, openBrowser(browserName));
    const page = await (await this.#browsers.get(browserName)).newPage(options);
    this.#pages.push(page);
    await page.goto(this.url(path));
    return page;
  }

  /** A complaint of the page that belongs to the test. */
  expectProblem(pattern) {
    this.#expected.push(pattern);
  }

  /** Runs a test; throws what it throws, or what its pages complained of. */
  async run(test) {
    try {
      const note = await within(LIMIT_MS, test.run(this));
      const problems = this.#pages
        .flatMap((page) => page.problems)
        .filter((problem) => !this.#expected.some((pattern) => pattern.test(problem)));
      if (problems.length > 0) throw new Error(`the page complained:\n${problems.join("\n")}`);
      return note;
    } finally {
      this.#expected = [];
      await Promise.all(this.#pages.splice(0).map((page) => page.close().catch(() => {})));
    }
  }

  async close() {
    for (const browser of this.#browsers.values()) await browser.then((b) => b.close()).catch(() => {});
  }
}

async function within(ms, work) {
  const bell = new AbortController();
  const late = sleep(ms, undefined, { signal: bell.signal }).then(
    () => Promise.reject(new Error(`it hangs: no end after ${ms / 60_000} minutes`)),
    () => undefined,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    bell.abort();
  }
}

/** Runs the tests whose name holds one of these parts, one after the other; gives the exit code. */
export async function runAll(all, context, parts) {
  const tests = all.filter(({ name }) => parts.length === 0 || parts.some((part) => name.includes(part)));
  if (tests.length === 0) {
    console.error(`no browser test is called like ${parts.join(" or ")}`);
    return 2;
  }
  let failed = 0;
  for (const test of tests) {
    const began = performance.now();
    const seconds = () => `${((performance.now() - began) / 1000).toFixed(1)} s`;
    try {
      const note = await context.run(test);
      console.log(`ok    ${test.name} (${seconds()})${note === undefined ? "" : `: ${note}`}`);
    } catch (error) {
      failed++;
      console.log(`FAILED ${test.name} (${seconds()})\n${String(error.stack).replace(/^/gm, "      ")}`);
    }
  }
  await context.close();
  console.log(`\n${tests.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}
