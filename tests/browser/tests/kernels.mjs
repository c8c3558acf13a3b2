// The selftest build in real browsers: every expanded shader through tint and naga without a message, every case of every
// kernel against its reference.

import assert from "node:assert/strict";

import { requireBuilt } from "../lib/paths.mjs";

async function selftestPage(context, browser, build, threads = 1) {
  requireBuilt(`pkg/wasm-selftest/${build}/rushlight_bg.wasm`);
  const page = await context.page(browser, `/test/selftest.html?build=${build}&threads=${threads}`);
  await page.waitFor("the selftest build", () => globalThis.selftest !== undefined);
  return page;
}

function shaders(browser) {
  return {
    name: `kernels: every shader compiles in ${browser} without a message`,
    async run(context) {
      const page = await selftestPage(context, browser, "compat");
      const { count, said } = await page.evaluate(() => globalThis.selftest.compileShaders());
      assert.ok(count > 0);
      assert.deepEqual(said, []);
      return `${count} shaders`;
    },
  };
}

function cases(browser, backend, build, threads) {
  return {
    name: `kernels: every case on ${browser}'s ${backend}, ${build}, threads: ${threads}`,
    async run(context) {
      const page = await selftestPage(context, browser, build, threads);
      await page.evaluate((backend) => void globalThis.selftest.runCases(backend), backend);
      const ended = () => globalThis.progress?.ended || globalThis.trap !== undefined;
      await page.waitFor("all cases", ended, undefined, 900_000);
      assert.equal(await page.evaluate(() => globalThis.trap ?? null), null);
      const { device, total, done, worst, wrong } = await page.evaluate(() => globalThis.progress);
      assert.deepEqual(wrong, []);
      assert.equal(done, total);
      if (backend === "cpu") assert.match(device, new RegExp(`${threads} thread`));
      return `${total} cases on ${device}, at most ${worst.toFixed(3)} of the error allowed`;
    },
  };
}

function wideCounts(browser) {
  return {
    name: `kernels: counts over 32 bits are right in ${browser}`,
    async run(context) {
      const page = await selftestPage(context, browser, "compat");
      const compared = await page.evaluate(() => globalThis.selftest.wideCounts());
      assert.ok(compared > 100);
      return `${compared} counts`;
    },
  };
}

export default [
  wideCounts("chromium"),
  shaders("chromium"),
  shaders("firefox"),
  cases("chromium", "cpu", "compat", 1),
  cases("chromium", "cpu", "full", 2),
  cases("firefox", "cpu", "full", 2),
  cases("chromium", "gpu", "full", 1),
  cases("firefox", "gpu", "compat", 1),
];
