// Who goes through the page by keyboard, hears it, or sees it in colours of their own.

import assert from "node:assert/strict";

import { violations } from "../lib/axe.mjs";
import { open } from "../lib/page.mjs";
import { scriptedPage } from "../lib/scripted_page.mjs";

const PARTS = ["ask", "chat", "playground", "models", "device"];

const focused = (page) => page.evaluate(() => ({ id: document.activeElement.id, text: document.activeElement.textContent }));

/** In a page of its own: how many of the pixels of a picture are of which colour, those that are many. */
const coloursOf = async (page, selector) => {
  const picture = await page.playwright.locator(selector).first().screenshot();
  const reader = await page.playwright.context().newPage();
  try {
    return await reader.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const drawing = new OffscreenCanvas(image.width, image.height).getContext("2d");
      drawing.drawImage(image, 0, 0);
      const { data } = drawing.getImageData(0, 0, image.width, image.height);
      const counts = {};
      for (let at = 0; at < data.length; at += 4) {
        const colour = data.slice(at, at + 3).join();
        counts[colour] = (counts[colour] ?? 0) + 1;
      }
      return Object.entries(counts).filter(([, count]) => count > (image.width * image.height) / 50).map(([colour]) => colour);
    }, picture.toString("base64"));
  } finally {
    await reader.close();
  }
};

const release = (page) => page.evaluate(() => {
  globalThis.scripted.hold = undefined;
  globalThis.scripted.release();
});

export default [
  {
    name: "access: the first stop of the tab key leads past the header, and leaves the part as it is",
    async run(context) {
      const page = await scriptedPage(context);
      const { keyboard } = page.playwright;
      await keyboard.press("Tab");
      assert.equal((await focused(page)).text, "Skip to the content");
      const box = await page.playwright.locator(".skip").boundingBox();
      assert.ok(box.width > 60 && box.height > 20 && box.x >= 0 && box.y >= 0, "it is seen while it has the focus");
      assert.deepEqual(await violations(page), []);
      await keyboard.press("Enter");
      assert.equal((await focused(page)).id, "main");
      await open(page, "models");
      await page.playwright.locator(".skip").focus();
      await keyboard.press("Enter");
      assert.equal((await focused(page)).id, "main");
      assert.equal(await page.evaluate(() => location.hash), "#models");
      assert.equal(await page.evaluate(() => document.querySelector("#models").hidden), false);
      await keyboard.press("Tab");
      assert.ok(await page.evaluate(() => document.activeElement.closest("main, .bar") !== null && document.activeElement.closest("nav") === null));
    },
  },
  {
    name: "access: the focus goes to the heading of the part that comes",
    async run(context) {
      const page = await scriptedPage(context);
      assert.equal((await focused(page)).id, "", "not where the page is opened");
      for (const part of [...PARTS.slice(1), "ask"]) {
        await page.playwright.locator(`nav a[href="#${part}"]`).focus();
        await page.playwright.keyboard.press("Enter");
        await page.waitFor(`the heading of ${part}`, (part) => document.activeElement.id === `${part}-title`, part);
      }
      await page.evaluate(() => history.back());
      await page.waitFor("the heading of the device", () => document.activeElement.id === "device-title");
      // What the page itself goes to is not torn away by that.
      await open(page, "ask");
      await page.playwright.locator("#question").focus();
      await page.evaluate(() => (location.hash = "#ask"));
      assert.equal((await focused(page)).id, "question");
    },
  },
  {
    name: "access: in the visitor's own colours marks, focus, progress and the chosen part are seen",
    async run(context) {
      for (const colorScheme of ["light", "dark"]) {
        const page = await scriptedPage(context, "", { forcedColors: "active", colorScheme, reducedMotion: "reduce" });
        await page.playwright.getByRole("button", { name: "Try a sample" }).click();
        await page.waitFor("the sample", () => document.querySelector("#reader") !== null);
        await page.evaluate(() => (globalThis.scripted.hold = "read"));
        await page.fill("#question", "When are dogs allowed?");
        await page.click("#ask-button");
        await page.waitFor("passages", () => /3 of 6 passages/.test(document.querySelector("#progress-text").textContent));
        // Half of the bar is done.
        assert.ok((await coloursOf(page, "#progress")).length >= 2, "progress");
        await release(page);
        await page.waitFor("an answer", () => document.querySelector("#found-text") !== null);
        await page.waitFor("the end", () => document.body.dataset.state === "ready");
        assert.ok((await coloursOf(page, "#confidence")).length >= 2, "confidence");
        const style = (selector, ...names) => page.evaluate(([selector, names]) => {
          const computed = getComputedStyle(document.querySelector(selector));
          return names.map((name) => computed[name]);
        }, [selector, names]);
        const [[mark], [around]] = [await style("#reader mark.source", "backgroundColor"), await style("#reader", "backgroundColor")];
        assert.notEqual(mark, around);
        assert.notEqual((await style("#reader mark.source", "outlineStyle"))[0], "none");
        assert.match((await style("#reader .read:not(.source)", "textDecorationLine"))[0], /underline/);
        const [[current], [other]] = [await style("nav a[aria-current]", "borderBottomWidth"), await style("nav a:not([aria-current])", "borderBottomWidth")];
        assert.notEqual(current, other);
        await page.playwright.locator("#ask-mode").focus();
        await page.playwright.keyboard.press("Tab");
        const [outline, width] = await page.evaluate(() => {
          const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
          return [outlineStyle, Number.parseFloat(outlineWidth)];
        });
        assert.ok(outline !== "none" && width >= 2, `focus: ${outline} ${width}`);
        await open(page, "playground");
        await page.click("#generate");
        await page.waitFor("an answer", () => document.querySelector("#stats") !== null);
        const lines = await page.evaluate(() => ["p5", "p20", "p50", "p90"].map((name) => {
          const token = document.querySelector(`#answer .token.${name}`);
          return token && getComputedStyle(token).borderBottomWidth + getComputedStyle(token).borderBottomStyle;
        }));
        assert.equal(new Set(lines).size, 4, lines.join());
        for (const part of PARTS) {
          await open(page, part);
          assert.deepEqual(await violations(page), [], part);
        }
      }
    },
  },
];
