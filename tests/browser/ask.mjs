// Asks the demo page something and prints what it says: `node ask.mjs --url URL --prompt TEXT`. Behind `cargo xtask demo --ask`.

import { parseArgs } from "node:util";

import { openBrowser } from "./lib/browsers.mjs";
import { fillIn, generate } from "./lib/page.mjs";

const { values: options } = parseArgs({
  options: {
    url: { type: "string" },
    prompt: { type: "string" },
    model: { type: "string" },
    backend: { type: "string", default: "auto" },
    browser: { type: "string", default: "chromium" },
    kv: { type: "string" },
    "max-tokens": { type: "string", default: "32" },
  },
});
if (options.url === undefined || options.prompt === undefined) {
  console.error("usage: node ask.mjs --url URL --prompt TEXT [--model URL] [--backend auto|gpu|cpu] [--browser chromium|firefox] [--max-tokens N]");
  process.exit(2);
}

/** Lines of the statistics, in this order, where the page knows them. */
const STATISTICS = [
  ["model", "name"],
  ["backend", "backend"],
  ["because", "reason"],
  ["load time", "load-ms"],
  ["time to first token", "first-token-ms"],
  ["prefill", "prefill"],
  ["decode", "decode"],
  ["tokens", "tokens"],
  ["memory", "memory"],
  ["WebAssembly heap", "wasm"],
];

const browser = await openBrowser(options.browser);
try {
  const page = await browser.newPage();
  await page.goto(options.url);
  await page.waitFor("the page", () => document.querySelector("#generate") !== null);
  await fillIn(page, {
    model: options.model,
    backend: options.backend,
    kv: options.kv,
    prompt: options.prompt,
    maxTokens: options["max-tokens"],
  });
  process.stdout.write(options.prompt);
  const { failure, facts } = await generate(page, { patience: 30 * 60_000, onText: (text) => process.stdout.write(text) });
  process.stdout.write("\n\n");
  for (const [label, key] of STATISTICS) {
    if (facts[key] !== undefined) console.log(`${label.padEnd(20)} ${facts[key].text}`);
  }
  for (const problem of page.problems) console.error(problem);
  if (failure !== null) {
    console.error(failure.text.replaceAll("\n", " "));
    process.exitCode = 1;
  }
} finally {
  await browser.close();
}
