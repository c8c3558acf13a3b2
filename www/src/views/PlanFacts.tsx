import type { VNode } from "preact";

import type { LoadPlan } from "../engine";
import { planned, planning } from "../state/planned";
import { bytes, count, millions, speed } from "../words/format";
import { type Fact, Facts } from "./Facts";

/** What a load would take, or why it would fail. */
export function PlanFacts(): VNode | null {
  const { plan, failure } = planned.value ?? {};
  if (planning.value) {
    return (
      <div id="planned" class="planned" aria-busy="true">
        <p class="note">Looking again, for what is chosen now…</p>
      </div>
    );
  }
  if (failure !== undefined) {
    return (
      <div id="planned" class="planned">
        <p class="bad">
          <strong>{failure.title}.</strong> {failure.advice} <code>{failure.detail}</code>
        </p>
      </div>
    );
  }
  if (plan === undefined) return null;
  return (
    <div id="planned" class="planned">
      <p class={plan.ok ? "good" : "bad"}>
        <strong>{plan.ok ? "This model can run here." : "This model cannot run here."}</strong> {plan.reason}
        {plan.code !== null && <code> {plan.code}</code>}
      </p>
      <Facts label="What the load would take" facts={factsOf(plan)} />
    </div>
  );
}

function factsOf(plan: LoadPlan): Fact[] {
  const { name, architecture, quantisation, parameters, fetchBytes, memoryBytes, backend, context, tokensPerSecond } = plan;
  const facts: Fact[] = [
    { key: "plan-name", label: "Model", text: `${name} (${architecture}, ${quantisation})`, value: name },
    { key: "plan-parameters", label: "Parameters", text: millions(parameters), value: parameters },
    { key: "plan-fetch", label: "To download", text: fetchBytes === 0 ? "nothing" : bytes(fetchBytes), value: fetchBytes },
    { key: "plan-memory", label: "Memory", text: bytes(memoryBytes), value: memoryBytes },
    { key: "plan-backend", label: "Runs on", text: `${backend.kind.toUpperCase()}: ${backend.reason}`, value: backend.kind },
    { key: "plan-context", label: "Context", text: `${count(context)} tokens`, value: context },
  ];
  if (tokensPerSecond === null) return facts;
  return [...facts, { key: "plan-speed", label: "Expected speed", text: speed(tokensPerSecond), value: tokensPerSecond }];
}
