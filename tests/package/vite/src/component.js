// The two hooks in a component, under React's strict mode, which mounts everything twice.

import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { useAnswer, useModel } from "rushlight/react";

function App({ from }) {
  const { model, progress, error } = useModel(from, { backend: "cpu", threads: 1 });
  const answer = useAnswer();
  const ask = () => answer.start((signal) => model.generate("hello of the capital", { maxTokens: 8, signal }));
  const state = error?.code ?? (model === undefined ? "loading" : answer.running ? "answering" : "ready");
  return createElement(
    "main",
    { "data-state": state, "data-loaded": progress?.loaded ?? 0 },
    createElement("button", { id: "ask", onClick: ask, disabled: model === undefined }, "Ask"),
    createElement("button", { id: "stop", onClick: answer.stop }, "Stop"),
    createElement("output", { id: "answer" }, answer.text),
    createElement("p", { id: "error" }, answer.error?.code ?? ""),
  );
}

/** Shows the component; gives what takes it away again. */
export function mount(from) {
  const root = createRoot(document.querySelector("#app"));
  root.render(createElement(StrictMode, null, createElement(App, { from })));
  globalThis.unmount = () => root.unmount();
}
