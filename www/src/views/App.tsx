import type { VNode } from "preact";

import { announced } from "../state/announced";
import { view } from "../state/presets";
import { Ask } from "./Ask";
import { Device } from "./Device";
import { DropTarget } from "./DropTarget";
import { FailureBox } from "./FailureBox";
import { Models } from "./Models";
import { Playground } from "./Playground";
import { StatusBar } from "./StatusBar";

/** Everything below the header. Views that are not shown stay, with what was typed into them. */
export function App(): VNode {
  const now = view.value;
  return (
    <>
      <StatusBar />
      <main>
        <FailureBox />
        <section id="ask" class="view" aria-labelledby="ask-title" hidden={now !== "ask"}>
          <Ask />
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
