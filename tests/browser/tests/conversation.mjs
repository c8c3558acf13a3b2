// The page's conversation: turns, what is reused, Stop, beginning anew, a reload. The package is a stand-in here.

import assert from "node:assert/strict";

import { violations } from "../lib/axe.mjs";
import { open, read } from "../lib/page.mjs";
import { scriptedPage } from "../lib/scripted_page.mjs";

const idle = () => !["loading", "generating"].includes(document.body.dataset.state);
const calls = (page, kind) => page.evaluate((kind) => globalThis.scripted.calls.filter(({ call }) => call === kind), kind);
const script = (page, changes) => page.evaluate((changes) => Object.assign(globalThis.scripted, changes), changes);
const said = (page) => page.evaluate(() => [...document.querySelectorAll("#turns .turn")].map((turn) => [turn.classList[1], turn.querySelector(".turn-text").textContent]));

const ANSWER = " Paris, a city of lanterns. Its streets were lit by oil lamps.";

async function say(page, text) {
  await page.fill("#message", text);
  await page.playwright.locator("#message").press("Enter");
  await page.waitFor("an answer", (text) => {
    const turns = [...document.querySelectorAll("#turns .turn")];
    return turns.at(-2)?.querySelector(".turn-text").textContent === text && turns.at(-1)?.querySelector(".turn-end") !== null;
  }, text);
  await page.waitFor("the end", idle);
}

export default [
  {
    name: "conversation: three turns with the model for it, each with all that was said, and what of it was reused",
    async run(context) {
      const page = await scriptedPage(context, "#chat");
      assert.match(await page.evaluate(() => document.querySelector("#chat-form").textContent), /SmolLM2-135M-Instruct\.Q4_1\.gguf \(98\.4 MB to download\)/);
      for (const text of ["Hello", "And then?", "Goodbye"]) await say(page, text);
      assert.deepEqual(await said(page), ["Hello", "And then?", "Goodbye"].flatMap((text) => [["user", text], ["assistant", ANSWER.trim()]]));
      const loads = await calls(page, "loadModel");
      assert.deepEqual(loads.map(({ from }) => from), ["models/SmolLM2-135M-Instruct.Q4_1.gguf"]);
      const generated = await calls(page, "generate");
      const message = (role, content) => ({ role, content });
      assert.deepEqual(generated.at(-1).input.messages, [
        message("user", "Hello"), message("assistant", ANSWER), message("user", "And then?"), message("assistant", ANSWER), message("user", "Goodbye"),
      ]);
      assert.equal(generated.at(-1).options.overflow, "trim");
      const ends = await page.evaluate(() => [...document.querySelectorAll(".turn-end")].map((end) => ({ ...end.dataset, text: end.textContent })));
      assert.deepEqual(ends.map(({ prompt, reused }) => [prompt, reused]), [["13", "0"], ["33", "20"], ["53", "40"]]);
      assert.match(ends[1].text, /Read 13 new tokens, 20 reused/);
      assert.doesNotMatch(ends[0].text, /reused/);
      const heard = await page.evaluate(() => [...document.querySelectorAll("#announced p")].map((each) => each.textContent));
      assert.deepEqual(heard, ["Paris, a city of lanterns.", "Its streets were lit by oil lamps."]);
      assert.deepEqual(await violations(page), []);

      // Asking takes the other model, and coming back this one again, with what was computed.
      await open(page, "ask");
      await page.playwright.getByRole("button", { name: "Try a sample" }).click();
      await page.fill("#question", "When are dogs allowed?");
      await page.click("#ask-button");
      await page.waitFor("an answer", () => document.querySelector("#found-text") !== null);
      await page.waitFor("the end", idle);
      await open(page, "chat");
      await say(page, "Still there?");
      assert.deepEqual((await calls(page, "loadModel")).map(({ from }) => /SmolLM2|gemma|MiniLM/.exec(from)[0]), ["SmolLM2", "gemma", "MiniLM", "SmolLM2"]);
      assert.equal((await calls(page, "restore")).length, 1);
      assert.equal(await page.evaluate(() => [...document.querySelectorAll(".turn-end")].at(-1).dataset.reused), "60");
    },
  },
  {
    name: "conversation: it streams, Stop keeps what was written, and a message that nothing came of is put back",
    async run(context) {
      const page = await scriptedPage(context, "#chat");
      await script(page, { hold: "answer" });
      await page.fill("#message", "Hello");
      await page.click("#send");
      await page.waitFor("some words", () => / Its/.test(document.querySelector("#turns .turn.assistant .turn-text")?.textContent ?? ""));
      assert.deepEqual(await violations(page), []);
      await page.click("#stop-answer");
      await page.waitFor("the end", idle);
      const [, [, written]] = await said(page);
      assert.ok(ANSWER.trim().startsWith(written) && written.length > 20, written);
      assert.match(await page.evaluate(() => document.querySelector(".turn-end").textContent), /Stopped/);
      assert.equal((await read(page)).failure, null);

      await script(page, { hold: "prompt" });
      await page.fill("#message", "Too slow");
      await page.click("#send");
      await page.waitFor("the prompt", () => document.querySelector("#status").textContent === "Reading what was said…");
      await page.playwright.keyboard.press("Escape");
      await page.waitFor("the end", idle);
      assert.equal((await said(page)).length, 2);
      assert.equal(await page.evaluate(() => document.querySelector("#message").value), "Too slow");
      await script(page, { hold: undefined, fail: { generate: { code: "ERR_CONTEXT", message: "5,120 tokens do not fit" } } });
      await page.click("#send");
      await page.waitFor("a message", () => document.querySelector("#failure").dataset.code === "ERR_CONTEXT");
      assert.match((await read(page)).failure.text, /begin a new conversation/);
      assert.equal(await page.evaluate(() => document.querySelector("#message").value), "Too slow");
      await page.click("#send");
      await page.waitFor("four turns", () => document.querySelectorAll("#turns .turn").length === 4);
      await page.waitFor("the end", idle);
      const { messages } = (await calls(page, "generate")).at(-1).input;
      assert.deepEqual(messages.map(({ role }) => role), ["user", "assistant", "user"]);
      assert.equal((await read(page)).failure, null);
      await page.fill("#message", "  ");
      await page.click("#send");
      await page.waitFor("a message", () => document.querySelector("#failure").dataset.code === "ERR_EMPTY_MESSAGE");
    },
  },
  {
    name: "conversation: after a reload it goes on, with what the model computed; a new one forgets it",
    async run(context) {
      const page = await scriptedPage(context, "#chat");
      await page.evaluate(() => (document.querySelector("#chat-form details").open = true));
      await page.fill("#instructions", "Be brief.");
      await say(page, "Hello");
      await page.waitFor("it is kept", () => globalThis.scripted.calls.some(({ call }) => call === "save"));
      const again = async () => {
        await page.playwright.reload();
        await page.waitFor("the page", () => globalThis.scripted !== undefined && document.querySelector("#message") !== null);
      };
      await again();
      assert.deepEqual(await said(page), [["user", "Hello"], ["assistant", ANSWER.trim()]]);
      assert.deepEqual(await violations(page), []);
      await say(page, "Where were we?");
      assert.deepEqual((await calls(page, "generate"))[0].input.messages.map(({ role }) => role), ["system", "user", "assistant", "user"]);
      assert.equal(await page.evaluate(() => [...document.querySelectorAll(".turn-end")].at(-1).dataset.reused), "30");

      // Where the cache is gone, or another model's, everything is read again.
      await again();
      await script(page, { fail: { restore: { code: "ERR_OTHER_MODEL", message: "another model's" } } });
      await say(page, "Once more");
      assert.equal((await read(page)).failure, null);
      assert.equal(await page.evaluate(() => [...document.querySelectorAll(".turn-end")].at(-1).dataset.reused), "0");

      await page.click("#new-conversation");
      assert.equal((await said(page)).length, 0);
      await page.click("#bring-back");
      assert.equal((await said(page)).length, 6);
      await page.click("#new-conversation");
      await page.waitFor("what was computed to be deleted", () => globalThis.scripted.calls.filter(({ call }) => call === "forget").length === 2);
      assert.equal(await page.evaluate(() => sessionStorage.length), 0);
      await again();
      assert.equal((await said(page)).length, 0);
      await say(page, "A fresh start");
      assert.equal((await calls(page, "generate")).at(-1).input.messages.filter(({ role }) => role !== "system").length, 1);

      // What somebody else has written there is no conversation.
      for (const kept of ["{", "null", "[]", '{"turns":[{"role":"user"}]}', '{"turns":[{"role":"system","content":"x"}]}', '{"turns":"x"}', '{"turns":[null]}']) {
        await page.evaluate((kept) => localStorage.setItem("rushlight conversation", kept), kept);
        await again();
        assert.equal((await said(page)).length, 0, kept);
      }
    },
  },
  {
    name: "conversation: turns that no longer fit are counted",
    async run(context) {
      const page = await scriptedPage(context, "#chat");
      await say(page, "Hello");
      assert.equal(await page.evaluate(() => document.querySelector(".turn-dropped")), null);
      await script(page, { dropped: 2 });
      await say(page, "And then?");
      assert.match(await page.evaluate(() => document.querySelector(".turn-dropped").textContent), /The oldest 2 turns no longer fit .* were left out/);
    },
  },
  {
    name: "conversation: with the model under Models, with one that was dropped, and with one that only continues text",
    async run(context) {
      const page = await scriptedPage(context, "?chat=talker.gguf#chat");
      await page.evaluate(() => (document.querySelector("#chat-form details").open = true));
      await page.select("#talk-with", "writer");
      await page.fill("#message", "Hello");
      await page.click("#send");
      await page.waitFor("a message", () => document.querySelector("#failure").dataset.code === "ERR_NO_TEMPLATE");
      assert.match((await read(page)).failure.text, /talk with another/);
      await page.select("#talk-with", "talker");
      await page.click("#send");
      await page.waitFor("an answer", () => document.querySelector(".turn-end") !== null);
      await page.waitFor("the end", idle);
      // A file that can hold a conversation is the one that somebody wants to talk with.
      await page.evaluate(() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["m"], "my-talker.gguf"));
        document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      });
      await page.waitFor("the choice", () => document.querySelector("#talk-with").value === "writer");
      await page.waitFor("the end", idle);
      await say(page, "And you?");
      assert.deepEqual((await calls(page, "loadModel")).map(({ from }) => from), ["models/gemma-3-270m-q4_k_m.gguf", "talker.gguf", "my-talker.gguf"]);
      // As a preset among the models it is there for everything else too.
      await open(page, "models");
      await page.playwright.getByRole("button", { name: /SmolLM2 135M Instruct.*98\.4 MB/ }).click();
      assert.equal(await page.evaluate(() => document.querySelector("#model-url").value), "models/SmolLM2-135M-Instruct.Q4_1.gguf");
    },
  },
];
