import type { VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import { announced } from "../state/announced";
import { view } from "../state/presets";
import { Ask } from "./Ask";
import { Chat } from "./Chat";
import { Device } from "./Device";
import { DropTarget } from "./DropTarget";
import { FailureBox } from "./FailureBox";
import { Models } from "./Models";
import { Playground } from "./Playground";
import { StatusBar } from "./StatusBar";

/** Everything below the header. Views that are not shown stay, with what was typed into them. */
export function App(): VNode {
  const now = view.value;
  const before = useRef(now);
  useLayoutEffect(() => {
    if (before.current === now) return;
    before.current = now;
    window.scrollTo(0, 0);
    // Whoever does not see that something else is there now hears what it is, and goes on from there.
    document.getElementById(`${now}-title`)?.focus({ preventScroll: true });
  }, [now]);
  return (
    <>
      <StatusBar />
      <main id="main" tabindex={-1}>
        <FailureBox />
        <section id="ask" class="view" aria-labelledby="ask-title" hidden={now !== "ask"}>
          <Ask />
        </section>
        <section id="chat" class="view" aria-labelledby="chat-title" hidden={now !== "chat"}>
          <Chat />
        </section>
        <section id="playground" class="view" aria-labelledby="playground-title" hidden={now !== "playground"}>
          <Playground />
        </section>
        <section id="models" class="view" aria-labelledby="models-title" hidden={now !== "models"}>
          <Models />
        </section>
        <section id="device" class="view" aria-labelledby="device-title" hidden={now !== "device"}>
          <Device />
        </section>
      </main>
      <div id="announced" class="unseen" role="log" aria-label="The answer as it is written">
        {announced.value.map((sentence, at) => (
          <p key={at}>{sentence}</p>
        ))}
      </div>
      <DropTarget />
    </>
  );
}
