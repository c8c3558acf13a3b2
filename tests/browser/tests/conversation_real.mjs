// The same with SmolLM2-135M-Instruct: three turns in the page, of which each runs only what is new, also after a reload.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";

import { read } from "../lib/page.mjs";
import { SMOLLM, smollmFile } from "../lib/paths.mjs";

const idle = () => !["loading", "generating"].includes(document.body.dataset.state);

async function say(page, text) {
  await page.fill("#message", text);
  await page.click("#send");
  await page.waitFor("an answer, or a message", () => {
    const failed = !document.querySelector("#failure").hidden;
    return failed || (document.querySelector("#turns .turn:last-child.assistant .turn-end") !== null && document.querySelector("#message").value === "");
  }, undefined, 300_000);
  await page.waitFor("the end", idle, undefined, 300_000);
  const { failure } = await read(page);
  assert.equal(failure, null, failure?.text);
  return await page.evaluate(() => {
    const turn = document.querySelector("#turns .turn:last-child");
    const { prompt, reused } = turn.querySelector(".turn-end").dataset;
    return { text: turn.querySelector(".turn-text").textContent, prompt: Number(prompt), reused: Number(reused) };
  });
}

export default [
  {
    name: "conversation: SmolLM2 answers three turns and goes on after a reload, and runs only what is new",
    async run(context) {
      if (!existsSync(smollmFile())) throw new Error(`there is no model at ${smollmFile()}: run \`cargo xtask fetch-model\``);
      const page = await context.page("chromium", "/?backend=cpu#chat");
      assert.match(await page.evaluate(() => document.querySelector("#chat-form").textContent), new RegExp(SMOLLM.replaceAll(".", "\\.")));
      const first = await say(page, "Hello! Answer in a few words.");
      const second = await say(page, "What is the capital of France?");
      const third = await say(page, "And of Italy?");
      assert.match(second.text, /Paris/);
      assert.equal(first.reused, 0);
      for (const [turn, before] of [[second, first], [third, second]]) {
        assert.ok(turn.reused >= before.prompt, `${turn.reused} of ${turn.prompt} tokens reused, ${before.prompt} were there`);
        assert.ok(turn.prompt - turn.reused < 40, `${turn.prompt - turn.reused} tokens ran`);
      }
      await page.waitFor("the conversation on the disk", async () => {
        try {
          const root = await navigator.storage.getDirectory();
          const folder = await (await root.getDirectoryHandle("rushlight")).getDirectoryHandle("conversations");
          for await (const [, file] of folder.entries()) if (file.kind === "file" && (await file.getFile()).size > 0) return true;
        } catch {
          // Not yet.
        }
        return false;
      });
      await page.playwright.reload();
      await page.waitFor("the conversation", () => document.querySelectorAll("#turns .turn").length === 6);
      const fourth = await say(page, "Thank you.");
      assert.ok(fourth.reused >= third.prompt, `${fourth.reused} of ${fourth.prompt} tokens reused after the reload, ${third.prompt} were there`);
      return [first, second, third, fourth].map(({ text, prompt, reused }) => `${JSON.stringify(text.slice(0, 40))} (${reused} of ${prompt} reused)`).join(", ");
    },
  },
];
