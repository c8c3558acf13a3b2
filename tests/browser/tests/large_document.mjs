// A document of 5 MB: it opens at once, scrolls at 60 frames a second, is searched, selected and marked as a small one is.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { scriptedPage } from "../lib/scripted_page.mjs";

const BYTES = 5_000_000;

/** A frame at 60 a second, in milliseconds. */
const FRAME_MS = 1000 / 60;
/** What holds a page up. */
const LONG_TASK_MS = 50;

/** Numbers that are the same each time. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
}

const WORDS = "the lamp keeper of boat and harbour rain with wind from under a light stone over winter that was never quite enough for salt bread".split(" ");

/** Paragraphs of prose of so many characters, no two alike, with a sentence that is asked for near the end. */
function prose() {
  const next = numbers(7);
  let text = "";
  let paragraph = 0;
  const until = (size) => {
    while (text.length < size) {
      const words = Array.from({ length: 20 + next(140) }, () => WORDS[next(WORDS.length)]);
      text += `${paragraph % 25 === 0 ? `# Chapter ${paragraph / 25}\n` : ""}Number ${paragraph++}: ${words.join(" ")}.\n\n`;
    }
  };
  until(BYTES * 0.9);
  text += "Dogs are welcome from September to April, when no birds are nesting on the rock.\n\n";
  until(BYTES);
  return text;
}

/** Texts that are hard to cut. */
const HARD = {
  "one line with spaces": () => prose().replace(/\s+/g, " "),
  "one line without a space": () => Array.from({ length: 200_000 }, (_, at) => String.fromCodePoint(0x4e00 + (at * 7919) % 20_000)).join("").repeat(25),
  "letters with many accents, and emoji": () => "e\u0301\u0323👩‍👩‍👧🇳🇴".repeat(80_000),
  "short lines": () => Array.from({ length: 600_000 }, (_, at) => `${at},${at * 7}\n`).join(""),
  "empty lines": () => "\n".repeat(400_000) + "The end.",
};

async function opened(context, name, text, options = {}) {
  const page = await scriptedPage(context, "", options);
  await page.setFile("#document-file", { name, mimeType: "text/plain", buffer: Buffer.from(text) });
  await page.waitFor("the document", (name) => document.querySelector("#reader-title")?.textContent === name, name);
  return page;
}

/** Waits until all of the text is in the page; gives whether it is the text. */
async function wholeText(page, text) {
  await page.waitFor("all of it", (length) => document.querySelector("#reader").textContent.length >= length, text.length);
  return (await page.evaluate(() => document.querySelector("#reader").textContent)) === text;
}

/** Runs something under Chromium's tracing; gives the tasks of the page's main thread, in milliseconds of that thread's own time. */
async function traced(page, work) {
  const browser = page.playwright.context().browser();
  await browser.startTracing(page.playwright, { categories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"] });
  await page.evaluate(() => performance.mark("traced-begin"));
  const value = await work();
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const mains = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain").map(({ pid, tid }) => `${pid} ${tid}`);
  const byThread = new Map(mains.map((main) => [main, []]));
  for (const { name, ph, pid, tid, ts, dur, tdur } of traceEvents) {
    if (ph === "X" && name === "RunTask") byThread.get(`${pid} ${tid}`)?.push({ ts, wall: dur / 1000, own: (tdur ?? dur) / 1000 });
  }
  // Other renderers hardly work.
  const tasks = [...byThread.values()].sort((a, b) => b.length - a.length)[0] ?? [];
  return { value, tasks };
}

/** In the page: scrolls so many pixels a frame; gives the time between frames. */
const scrolling = ({ step, frames }) =>
  new Promise((resolve) => {
    const reader = document.querySelector("#reader");
    const times = [];
    const next = (now) => {
      times.push(now);
      if (times.length > frames) {
        resolve({ top: reader.scrollTop, between: times.slice(1).map((time, at) => time - times[at]) });
        return;
      }
      reader.scrollTop += step;
      requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  });

const share = (values, part) => [...values].sort((a, b) => a - b)[Math.floor(values.length * part)] ?? 0;

export default [
  {
    name: "large document: 5 MB scroll at 60 frames, without a long task, by Chromium's trace",
    async run(context) {
      const text = prose();
      const page = await opened(context, "large.md", text);
      assert.ok(await wholeText(page, text));
      const notes = [];
      // As one reads, as one flicks, and as one drags the bar: to places where nothing was laid out before.
      for (const [how, step, frames] of [["reading", 40, 180], ["flicking", 700, 180], ["dragging", 9000, 90]]) {
        // What else the machine does delays frames too, of a page that does nothing as well.
        const idle = await page.evaluate(scrolling, { step: 0, frames: 30 });
        const { value, tasks } = await traced(page, () => page.evaluate(scrolling, { step, frames }));
        assert.ok(value.top >= step * frames * 0.8, `${how}: ${value.top} pixels`);
        assert.ok(tasks.length >= frames, `${how}: only ${tasks.length} tasks were traced`);
        const worst = Math.max(...tasks.map(({ own }) => own));
        const busy = tasks.reduce((sum, { own }) => sum + own, 0) / frames;
        notes.push(`${how}: ${busy.toFixed(1)} ms of work a frame, longest task ${worst.toFixed(0)} ms, median frame ${share(value.between, 0.5).toFixed(1)} ms, 95% ${share(value.between, 0.95).toFixed(1)} ms`);
        assert.ok(worst < LONG_TASK_MS, notes.at(-1));
        assert.ok(busy < FRAME_MS, notes.at(-1));
        const allowed = Math.max(FRAME_MS, share(idle.between, 0.95)) * 1.2;
        assert.ok(share(value.between, 0.5) < allowed || tasks.every(({ own }) => own < FRAME_MS), notes.at(-1));
      }
      return notes.join("; ");
    },
  },
  {
    name: "large document: opening 5 MB, and making the window narrower, hold nothing up",
    async run(context) {
      const text = prose();
      const page = await scriptedPage(context);
      // From the disk: what goes through the debugging protocol is unpacked by the page's own thread.
      const folder = mkdtempSync(path.join(tmpdir(), "rushlight-"));
      const file = path.join(folder, "large.md");
      writeFileSync(file, text);
      const { tasks } = await traced(page, async () => {
        await page.setFile("#document-file", file);
        await page.waitFor("the document", () => document.querySelector("#reader-title")?.textContent === "large.md");
        await page.waitFor("all of it", () => document.querySelector("#reader").lastElementChild?.className === "page near");
      });
      rmSync(folder, { recursive: true });
      const own = tasks.map((task) => task.own).sort((a, b) => b - a);
      const sizes = await page.evaluate(() => document.querySelector(".document-size").textContent);
      assert.equal(sizes, `Markdown · ${text.trim().split(/\s+/).length.toLocaleString("en")} words`);
      assert.ok(own[0] < LONG_TASK_MS, `a task of ${own[0]} ms`);
      assert.ok(await wholeText(page, text));
      const { tasks: narrowed } = await traced(page, async () => {
        await page.playwright.setViewportSize({ width: 700, height: 900 });
        await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
      });
      const worst = Math.max(...narrowed.map((task) => task.own));
      assert.ok(worst < LONG_TASK_MS, `a task of ${worst} ms where it became narrower`);
      return `${worst.toFixed(0)} ms to lay it out again; longest tasks ${own.slice(0, 5).map((ms) => ms.toFixed(0)).join(", ")} ms`;
    },
  },
  {
    name: "large document: the answer is found in it, marked, in view and in focus; search and selection work across it",
    async run(context) {
      const text = prose();
      const page = await opened(context, "large.md", text);
      await page.fill("#question", "When are dogs allowed?");
      await page.click("#ask-button");
      await page.waitFor("an answer", () => document.querySelector("#found-text") !== null);
      await page.waitFor("the end", () => document.body.dataset.state === "ready");
      const seen = () => {
        const mark = document.querySelector("#reader mark.source");
        if (mark === null) return false;
        const [box, around] = [mark.getBoundingClientRect(), document.querySelector("#reader").getBoundingClientRect()];
        return box.height > 0 && box.top >= around.top && box.bottom <= around.bottom;
      };
      await page.waitFor("the mark in view", seen, undefined, 5000);
      // It stays there when what is around it has been laid out.
      await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
      assert.ok(await page.evaluate(seen));
      await page.evaluate(() => document.querySelector("#reader").scrollTo(0, 0));
      await page.playwright.locator("#found .sources button").first().click();
      await page.waitFor("the focus", () => document.activeElement.matches("#reader mark.source"));
      await page.waitFor("the mark in view", seen, undefined, 5000);
      assert.ok(await wholeText(page, text));
      const start = text.indexOf("from September to April");
      assert.equal(await page.evaluate(() => Number(document.querySelector("#reader mark.source").dataset.start)), start);

      // The browser's own search finds what is far from there.
      const found = await page.evaluate(() => {
        getSelection().removeAllRanges();
        const found = window.find("Number 4321:");
        return found && getSelection().toString();
      });
      assert.equal(found, "Number 4321:");
      // What is selected from one section into others is the text, as it stands.
      const from = text.indexOf("Number 99:");
      const copied = await page.evaluate(([from, to]) => {
        const walker = document.createTreeWalker(document.querySelector("#reader"), NodeFilter.SHOW_TEXT);
        const range = document.createRange();
        for (let node = walker.nextNode(), at = 0; node !== null; at += node.length, node = walker.nextNode()) {
          if (at <= from && from < at + node.length) range.setStart(node, from - at);
          if (at < to && to <= at + node.length) range.setEnd(node, to - at);
        }
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        return getSelection().toString();
      }, [from, from + 30_000]);
      const expected = text.slice(from, from + 30_000);
      for (let at = 0; at < expected.length; at++) assert.equal(copied[at], expected[at], `at ${at}: ${JSON.stringify(copied.slice(at - 20, at + 20))}`);
      assert.equal(copied, expected);
    },
  },
  ...Object.entries(HARD).map(([what, make]) => ({
    name: `large document: ${what}: shown as it is, and scrolled`,
    async run(context) {
      const text = make();
      const page = await opened(context, "hard.txt", text, { viewport: { width: 360, height: 740 } });
      assert.ok(await wholeText(page, text));
      const { tasks } = await traced(page, () => page.evaluate(scrolling, { step: 700, frames: 60 }));
      const worst = Math.max(...tasks.map(({ own }) => own));
      assert.ok(worst < LONG_TASK_MS, `a task of ${worst.toFixed(0)} ms`);
      // No section begins within a character.
      const broken = await page.evaluate(() =>
        [...document.querySelectorAll("#reader .page")].filter((section) => /^[\p{M}\p{Cf}\udc00-\udfff]/u.test(section.textContent)).length,
      );
      assert.equal(broken, 0);
      return `longest task ${worst.toFixed(0)} ms`;
    },
  })),
];
