// What is asked of every app: each build of the core answers, the one that fits is taken, and both say the same as everywhere.

import assert from "node:assert/strict";

import { startServer } from "../../browser/lib/server.mjs";

/** What each build wrote, by its name: the same in every app and browser. */
const texts = new Map();

/** Opens a page of the app and waits for its code. */
export async function openApp(context, browser, url) {
  const page = await context.page(browser, url);
  await page.waitFor("the app's code", () => globalThis.answer !== undefined);
  return page;
}

/** Serves a folder while `use` runs; `isolated` says whether with the headers that threads need. */
export async function serving(folder, isolated, use) {
  const server = await startServer();
  Object.assign(server.state, { folders: [["/", folder]], isolated });
  try {
    return await use(server);
  } finally {
    server.close();
  }
}

/** The build that fits and the other one, on a page that is isolated or not. `name` is the page's function that loads and asks. */
export async function checkAnswers(page, isolated, name = "answer") {
  const notes = [];
  for (const options of [{ threads: 2 }, { build: "compat" }]) {
    const got = await page.evaluate(([name, options]) => globalThis[name](options), [name, options]);
    const expected = options.build === "compat" ? ["compat", 1] : ["full", isolated ? 2 : 1];
    assert.equal(got.isolated, isolated);
    assert.deepEqual([got.build, got.threads], expected);
    assert.equal(got.tokens, 8);
    assert.ok(got.text.length > 0);
    assert.equal(got.text, texts.get(got.build) ?? got.text, "another text than in the app before");
    texts.set(got.build, got.text);
    notes.push(`${got.build} on ${got.threads}`);
  }
  return notes.join(", ");
}
