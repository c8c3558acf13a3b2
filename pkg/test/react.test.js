// The hooks on React's own interface for renderers, with a renderer of a few lines: what reloads, and what does not.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import * as React from "react";

import { contentOf } from "../modules/react-content.js";
import { useModel } from "../modules/react.js";
import { loadRequest } from "../modules/load.js";

/** Renders one component: state, refs and callbacks by their order, effects after each render, as React does. */
function mount(component) {
  const internals = React.__CLIENT_INTERNALS_DO_NOT_USE_OR_WARN_USERS_THEY_CANNOT_UPGRADE;
  const slots = [];
  let at = 0;
  let effects = [];
  let result;
  const slot = (first) => (slots[at] ??= first(), slots[at++]);
  const changed = (before, deps) => before === undefined || deps === undefined || deps.some((dep, index) => !Object.is(dep, before[index]));
  const dispatcher = {
    useState: (first) => {
      const state = slot(() => ({ value: first }));
      return [state.value, (next) => void (state.value = next)];
    },
    useRef: (first) => slot(() => ({ current: first })),
    useCallback: (callback) => slot(() => callback),
    useEffect: (effect, deps) => {
      const state = slot(() => ({}));
      if (changed(state.deps, deps)) effects.push([state, effect]);
      state.deps = deps;
    },
  };
  return {
    render(...props) {
      [at, effects] = [0, []];
      internals.H = dispatcher;
      try {
        result = component(...props);
      } finally {
        internals.H = null;
      }
      for (const [state, effect] of effects) {
        state.end?.();
        state.end = effect();
      }
      return result;
    },
    unmount: () => slots.forEach((state) => state?.end?.()),
  };
}

/** Workers that never answer, and how many were started and ended. */
const workers = { started: 0, ended: 0 };
before(() => {
  globalThis.Worker = class {
    constructor() {
      workers.started++;
    }
    postMessage() {}
    terminate() {
      workers.ended++;
    }
  };
});
after(() => delete globalThis.Worker);

const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

/** Renders with one source after the other; how many loads that began. */
async function loads(sources) {
  Object.assign(workers, { started: 0, ended: 0 });
  const hook = mount((from) => useModel(from));
  for (const from of sources) {
    hook.render(from);
    await settled();
  }
  const { started, ended } = workers;
  assert.equal(ended, started - 1, "the loads before are ended");
  hook.unmount();
  await settled();
  assert.equal(workers.ended, started, "the last one ends with the component");
  return started;
}

const blob = new Blob(["a"]);
const other = new Blob(["a"]);

test("what says the same is loaded once, however often it is made anew", async () => {
  for (const [what, make] of [
    ["an address", () => "https://h/m.gguf"],
    ["a URL", () => new URL("https://h/m.gguf")],
    ["files in an object", () => ({ model: "https://h/m", config: new URL("https://h/c"), tokenizer: blob, sentence: undefined })],
    ["the same in another order", (at) => (at % 2 === 0 ? { model: "https://h/m", config: "https://h/c", tokenizer: "https://h/t" } : { tokenizer: "https://h/t", config: "https://h/c", model: "https://h/m" })],
    ["a file", () => blob],
  ]) {
    assert.equal(await loads([0, 1, 2].map(make)), 1, what);
  }
});

test("what says something else is another model", async () => {
  assert.equal(await loads(["https://h/a.gguf", "https://h/b.gguf", "https://h/a.gguf"]), 3);
  assert.equal(await loads([new URL("https://h/a"), new URL("https://h/b")]), 2);
  assert.equal(await loads([blob, other]), 2);
  const files = { model: "https://h/m", config: "https://h/c", tokenizer: "https://h/t" };
  assert.equal(await loads([files, { ...files, tokenizer: "https://h/u" }, { ...files, pooling: blob }, { ...files, pooling: other }]), 4);
});

test("texts of sources do not run into one another", () => {
  const sources = ["a", "b", '"a"', "blob 1", blob, { model: "a" }, { model: "a", config: "b" }, { model: 'a", config: "b' }, undefined, null, 7];
  assert.equal(new Set(sources.map(contentOf)).size, sources.length);
  assert.ok(loadRequest("https://h/m", {}));
});

test("the hooks are of the client, in what is published too", () => {
  for (const folder of ["modules", "dist"]) {
    const code = readFileSync(path.join(import.meta.dirname, "..", folder, "react.js"), "utf8");
    assert.match(code.replace(/^(\/\*[\s\S]*?\*\/|\/\/.*\n|\s)*/, ""), /^"use client"/, folder);
  }
});
