// The README's examples as a reader would paste them into a page, with Gemma and MiniLM where they say that these lie.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

import { startServer } from "../../browser/lib/server.mjs";
import { minilmFolder } from "../../browser/lib/paths.mjs";
import { SMALL_MODELS } from "../../browser/lib/small_models.mjs";
import { furnish, install } from "../lib/apps.mjs";
import { openApp } from "../lib/checks.mjs";

const ADDRESS = "./node_modules/rushlight/dist/index.js";

/** Examples that need nothing but `rushlight`: the others are run in node (`pkg/test`) or belong to other apps here. */
function examples(folder) {
  const readme = readFileSync(path.join(folder, "node_modules/rushlight/README.md"), "utf8");
  const blocks = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  return blocks.filter((code) => [...code.matchAll(/from "([^"]+)"/g)].every(([, name]) => name === "rushlight"));
}

/** What the page has to show or say, by a line of the example. The first is what llama.cpp writes (tests/fixtures/gemma_ref_exact.json). */
const EXPECTED = [
  ["document.body.append(piece.text)", { shown: /the capital of the country/ }],
  ["model.memory()", { said: /runs on the cpu, .+: .+/ }],
  ["cache.list()", { said: /gemma-3-270m-q4_k_m\.gguf 253113024 true/ }],
  ['cacheKey: "gemma-3-270m"', { said: /^true null$/m }],
  ["await plan(", { said: /^true .+ cpu \d+ \d/m }],
  ["model.restore(", { said: /^true$/m }],
  // Each example has a browser profile of its own, in which nothing is kept.
  ["conversations.list()", { said: /^$/ }],
  ["answer.stats?.decodeTokensPerSecond", { said: /^(stop|stop_text|length|context) \d/m }],
  ["Who kept the lamp?", { said: /^Mary Tallis 0\.\d/m }],
  ["indexes.list()", { said: /^(in )?1831$/m }],
  ["likeness", { said: /^0\.[5-9]/m }],
  ["{ trace: true }", { said: /^rushlight:load \d[^]*^rushlight:prefill \d[^]*^rushlight:decode \d/m }],
  ["/static/rushlight/", { said: /^(compat|full)$/m }],
];

export default [
  {
    name: "readme: each example that needs only the package runs as it stands",
    async run(context) {
      const folder = furnish(install("plain"));
      const found = examples(folder);
      const server = await startServer();
      server.state.folders = [
        ["/models/all-MiniLM-L6-v2/", minilmFolder()],
        ["/models/", SMALL_MODELS],
        ["/static/rushlight/", path.join(folder, "node_modules/rushlight")],
        ["/", folder],
      ];
      try {
        const matched = EXPECTED.map(([line, expected]) => [found.filter((code) => code.includes(line)), expected]);
        assert.deepEqual(matched.map(([codes]) => codes.length), EXPECTED.map(() => 1));
        assert.equal(found.length, EXPECTED.length, "an example that nothing is expected of");
        for (const [[code], { shown = /(?:)/, said = /(?:)/ }] of matched) {
          writeFileSync(path.join(folder, "readme.js"), code.replaceAll('from "rushlight"', `from "${ADDRESS}"`));
          const page = await openApp(context, "chromium", `${server.url}/`);
          const result = await page.evaluate(async () => {
            const lines = [];
            console.log = (...values) => lines.push(values.map(String).join(" "));
            await import("/readme.js");
            return { shown: document.body.textContent, said: lines.join("\n") };
          });
          assert.match(result.shown, shown, code);
          assert.match(result.said, said, code);
          await page.close();
        }
        return `${found.length} examples`;
      } finally {
        server.close();
      }
    },
  },
];
