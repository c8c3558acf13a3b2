// Chromium through Playwright and Firefox through Puppeteer, behind the few verbs that the tests need. Both are what the
// system installed; neither library downloads anything.

import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

/** Nothing that phones home. Memory is measured at once instead of after the next collection. */
const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-blink-features=ForceEagerMeasureMemory",
];

/** WebGPU on Chromium's own software rasteriser. */
const CHROMIUM_GPU_FLAGS = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

const CHROMIUM_WITHOUT_GPU_FLAGS = ["--disable-gpu", "--disable-features=Vulkan,WebGPU"];

/** Chromium as on a machine without a GPU, for those that start one of their own. */
export const CHROMIUM_WITHOUT_GPU = [...CHROMIUM_FLAGS, ...CHROMIUM_WITHOUT_GPU_FLAGS];

const FIREFOX_PREFERENCES = {
  "dom.webgpu.enabled": true,
  "dom.webgpu.workers.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  "gfx.webgpu.force-enabled": true,
};

/** Mesa's software Vulkan driver; its description moved with Mesa 25. */
const LLVMPIPE = ["/usr/share/vulkan/icd.d/lvp_icd.json", "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"];

/** Chromium as most tests have it, for those that start one of their own. */
export const CHROMIUM = [...CHROMIUM_FLAGS, ...CHROMIUM_GPU_FLAGS];

/** How long a thing on the page may take unless the test says otherwise. */
const PATIENCE_MS = 60_000;

/** How to start each browser, by the names that tests and `ask.mjs` use. */
const BROWSERS = {
  chromium: () => openChromium(CHROMIUM),
  "chromium-without-gpu": () => openChromium(CHROMIUM_WITHOUT_GPU),
  firefox: () => openFirefox(),
};

/**
 * A Chromium whose pages share a profile in a folder, as a visitor's tabs do: what they store outlives them. Gives Playwright's own
 * context.
 */
export async function openProfile(folder) {
  const env = { ...process.env };
  delete env.VK_ICD_FILENAMES;
  const executablePath = program("CHROMIUM", "/usr/bin/chromium");
  return await chromium.launchPersistentContext(folder, { executablePath, headless: true, args: CHROMIUM_WITHOUT_GPU, env });
}

/** Starts a browser without a window. */
export async function openBrowser(name) {
  const open = BROWSERS[name];
  if (open === undefined) throw new Error(`browser: expected one of ${Object.keys(BROWSERS).join(", ")}, got ${name}`);
  return await open();
}

function program(variable, usual) {
  const file = process.env[variable] ?? usual;
  if (!existsSync(file)) throw new Error(`no browser at ${file}: run \`cargo xtask setup\`, or name its program in ${variable}`);
  return file;
}

/** Chromium's program. */
export function chromiumProgram() {
  return program("CHROMIUM", "/usr/bin/chromium");
}

async function openChromium(args) {
  // Chromium brings its own Vulkan driver; one that is set for native tests would be tried instead of it.
  const env = { ...process.env };
  delete env.VK_ICD_FILENAMES;
  const browser = await chromium.launch({ executablePath: chromiumProgram(), headless: true, args, env });
  return {
    name: "chromium",
    async newPage(options = {}) {
      const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...options });
      const page = await context.newPage();
      const problems = [];
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) problems.push(`console ${message.type()}: ${message.text()}`);
      });
      page.on("pageerror", (error) => problems.push(`page error: ${error.stack}`));
      page.on("crash", () => problems.push("the tab crashed"));
      const fill = (selector, value) => page.fill(selector, value);
      const setFile = (selector, files) => page.setInputFiles(selector, files);
      const select = (selector, value) => page.selectOption(selector, value);
      // What only Chromium's tests do (keys, printing, its debugging protocol) goes through Playwright's own page.
      return { ...verbs(page, problems), fill, setFile, select, playwright: page, close: () => context.close() };
    },
    close: () => browser.close(),
  };
}

async function openFirefox() {
  const driver = process.env.VK_ICD_FILENAMES ?? LLVMPIPE.find((file) => existsSync(file));
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: program("FIREFOX", "/usr/bin/firefox-esr"),
    headless: true,
    extraPrefsFirefox: FIREFOX_PREFERENCES,
    env: { ...process.env, ...(driver === undefined ? {} : { VK_ICD_FILENAMES: driver }) },
    protocolTimeout: 30 * 60_000,
  });
  return {
    name: "firefox",
    async newPage() {
      const page = await browser.newPage();
      await page.setViewport({ width: 1100, height: 900 });
      const problems = [];
      page.on("console", (message) => {
        if (["error", "warn"].includes(message.type())) problems.push(`console ${message.type()}: ${message.text()}`);
      });
      page.on("pageerror", (error) => problems.push(`page error: ${error.stack ?? error}`));
      const fill = async (selector, value) => {
        const typed = await page.$eval(selector, setValue, value);
        if (typed) await page.type(selector, value);
      };
      const setFile = async (selector, file) => (await page.$(selector)).uploadFile(file);
      const select = (selector, value) => page.select(selector, value);
      return { ...verbs(page, problems), fill, setFile, select, close: () => page.close() };
    },
    close: () => browser.close(),
  };
}

/** In the page: empties a field that is typed into, or moves a slider; says whether there is still something to type. */
function setValue(control, value) {
  const slider = control.type === "range";
  control.value = slider ? value : "";
  control.dispatchEvent(new Event("input", { bubbles: true }));
  return !slider;
}

/** What both libraries do alike. */
function verbs(page, problems) {
  const evaluate = (script, argument) => page.evaluate(script, argument);
  return {
    /** Console errors and warnings, page errors. A test that ends with one has failed. */
    problems,
    evaluate,
    goto: (url) => page.goto(url),
    click: (selector) => page.click(selector),
    screenshot: (file, options = {}) => page.screenshot({ path: file, ...options }),
    /** Polls from here, so that the page needs no eval and a busy page no timers. */
    async waitFor(what, script, argument, patience = PATIENCE_MS) {
      const end = Date.now() + patience;
      for (;;) {
        const value = await evaluate(script, argument);
        if (value) return value;
        if (Date.now() > end) throw new Error(`waited ${patience / 1000} s for ${what}`);
        await sleep(25);
      }
    },
  };
}
