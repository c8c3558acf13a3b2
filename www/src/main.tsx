// The page starts here: what its address presets, the views, keys, drops, and the worker that keeps it for when there is no network.

import { effect } from "@preact/signals";
import { render } from "preact";

import { askDocuments } from "./state/asking";
import { lookUp } from "./state/cached";
import { restoreTurns, send } from "./state/conversation";
import { generate } from "./state/playing";
import { applyPresets, followAddress, view } from "./state/presets";
import { busy, state, stop } from "./state/work";
import { App } from "./views/App";

applyPresets();
restoreTurns();
followAddress();
window.addEventListener("hashchange", followAddress);

// By itself it would change the address, which says which part is shown.
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  const main = document.getElementById("main");
  main?.scrollIntoView();
  main?.focus({ preventScroll: true });
});

effect(() => {
  document.body.dataset.state = state.value;
});
effect(() => {
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${view.value}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
});

// What is kept changes with each load; where that cannot be told, the list of models says why.
effect(() => {
  if (!busy.value) void lookUp(true);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  if (view.value === "ask") void askDocuments();
  if (view.value === "chat") void send();
  if (view.value === "playground") void generate();
});

const root = document.getElementById("app");
if (root === null) throw new Error("the page has no #app");
render(<App />, root);

if (import.meta.env.PROD && "serviceWorker" in navigator) {
  // Once the page stands, so that keeping it does not slow it down.
  const keep = (): void => {
    navigator.serviceWorker.register(new URL("sw.js", document.baseURI)).catch(() => {
      // Site data is blocked: the page works, with a network.
    });
  };
  if (document.readyState === "complete") keep();
  else window.addEventListener("load", keep, { once: true });
}
