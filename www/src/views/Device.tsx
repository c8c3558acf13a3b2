import { useSignal } from "@preact/signals";
import type { VNode } from "preact";

import type { MemoryUse, Model } from "../engine";
import { benchmark, result } from "../state/benchmark";
import { counts, loaded, measureMemory } from "../state/model";
import { busy } from "../state/work";
import { bytes, count, duration, millions, speed } from "../words/format";
import { type Fact, Facts } from "./Facts";

/** What runs the model and why, where its bytes are, what was done, and how fast it is. */
export function Device(): VNode {
  const current = loaded.value;
  return (
    <>
      <div class="lead">
        <h2 id="device-title" tabindex={-1}>Device</h2>
        <p>What runs the model here, why, and how fast.</p>
      </div>
      <div class="narrow">
        <section class="card" aria-labelledby="backend-title">
          <h3 id="backend-title">Backend</h3>
          {current === undefined ? (
            <p class="note">
              It is chosen when a model is loaded. <a href="#models">Load one</a>, or run the benchmark below.
            </p>
          ) : (
            <Facts id="facts" label="The loaded model" facts={modelFacts(current.model)} />
          )}
        </section>
        {current !== undefined && <Memory memory={current.memory} />}
        <Surroundings />
        <Benchmark />
      </div>
    </>
  );
}

function modelFacts({ info }: Model): Fact[] {
  const { backend, name, timings } = info;
  const header = timings.header + timings.tokenizer;
  return [
    { key: "name", label: "Model", text: `${name} (${info.architecture})`, value: name },
    { key: "backend", label: "Runs on", text: `${backend.kind.toUpperCase()}: ${backend.device}`, value: backend.kind },
    { key: "reason", label: "Because", text: backend.reason, value: backend.reason },
    { key: "build", label: "Build", text: backend.build, value: backend.build },
    { key: "threads", label: "Threads", text: count(backend.threads), value: backend.threads },
    { key: "parameters", label: "Parameters", text: millions(info.parameters), value: info.parameters },
    { key: "vocabulary", label: "Vocabulary", text: `${count(info.vocabulary)} tokens`, value: info.vocabulary },
    { key: "context", label: "Context", text: `${count(info.context)} of ${count(info.trainedContext)} tokens`, value: info.context },
    { key: "kept", label: "Kept for later", text: info.cached ? "yes" : `no: ${info.cacheReason ?? "it is from this machine"}`, value: String(info.cached) },
    { key: "load-ms", label: "Loaded in", text: duration(timings.total), value: timings.total },
    { key: "header-ms", label: "of which header and tokenizer", text: duration(header), value: header },
  ];
}

/** Where the model's bytes are. */
function Memory({ memory }: { readonly memory: MemoryUse }): VNode {
  const held = memory.weights + memory.kv + memory.scratch;
  const where = memory.backend === "gpu" ? "on the GPU" : "in the tab";
  const parts = [
    ["Weights", memory.weights],
    ["KV cache", memory.kv],
    ["Temporaries", memory.scratch],
    ["Tokenizer", memory.tokenizer],
  ] as const;
  const facts: Fact[] = [
    { key: "memory", label: "Model", text: `${bytes(held)} ${where}`, value: held },
    { key: "wasm", label: "WebAssembly heap", text: bytes(memory.wasm), value: memory.wasm },
    { key: "tokenizer", label: "of which tokenizer", text: bytes(memory.tokenizer), value: memory.tokenizer },
  ];
  return (
    <section class="card" aria-labelledby="memory-title">
      <h3 id="memory-title">Memory</h3>
      <table class="memory">
        <tbody>
          {parts.map(([name, size]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <meter aria-label={name} min={0} max={held + memory.tokenizer} value={size} />
              </td>
              <td class="figures">{bytes(size)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Facts label="Memory" facts={facts} />
      <button type="button" class="link" disabled={busy.value} onClick={() => void measureMemory()}>
        Measure again
      </button>
    </section>
  );
}

function Surroundings(): VNode {
  const { answers, promptTokens, tokens } = counts.value;
  const facts: Fact[] = [
    { key: "cores", label: "Processor cores", text: count(navigator.hardwareConcurrency), value: navigator.hardwareConcurrency },
    { key: "webgpu", label: "WebGPU", text: "gpu" in navigator ? "in this browser" : "not in this browser", value: String("gpu" in navigator) },
    {
      key: "isolated",
      label: "Shared memory",
      text: crossOriginIsolated ? "yes: threads can be used" : "no: the page is not cross-origin isolated",
      value: String(crossOriginIsolated),
    },
    { key: "answers", label: "Answers in the playground", text: count(answers), value: answers },
    { key: "read-tokens", label: "Tokens read", text: count(promptTokens), value: promptTokens },
    { key: "written-tokens", label: "Tokens written", text: count(tokens), value: tokens },
  ];
  return (
    <section class="card" aria-labelledby="browser-title">
      <h3 id="browser-title">This browser, this visit</h3>
      <Facts label="This browser, this visit" facts={facts} />
    </section>
  );
}

/** A measurement, as JSON to pass on. */
function Benchmark(): VNode {
  const now = result.value;
  const json = now === undefined ? "" : JSON.stringify(now, null, 2);
  return (
    <section class="card" aria-labelledby="benchmark-title">
      <h3 id="benchmark-title">Benchmark</h3>
      <div class="row">
        <p class="note">Reads some 200 tokens and writes 48, three times. The result stays here until you pass it on.</p>
        <button id="benchmark" type="button" class="end" disabled={busy.value} onClick={() => void benchmark()}>
          Run the benchmark
        </button>
      </div>
      {now !== undefined && (
        <>
          <Facts
            label="Result of the benchmark"
            facts={[
              { key: "bench-prefill", label: "Reading", text: speed(now.median.prefillTokensPerSecond), value: now.median.prefillTokensPerSecond },
              { key: "bench-decode", label: "Writing", text: speed(now.median.decodeTokensPerSecond), value: now.median.decodeTokensPerSecond },
              { key: "bench-first", label: "First token after", text: duration(now.median.firstTokenMs), value: now.median.firstTokenMs },
            ]}
          />
          <details>
            <summary>As JSON</summary>
            <pre id="benchmark-json" tabindex={0}>
              {json}
            </pre>
          </details>
          <Share json={json} />
        </>
      )}
    </section>
  );
}

function Share({ json }: { readonly json: string }): VNode {
  const copied = useSignal("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(json);
      copied.value = "Copied.";
    } catch {
      copied.value = "The browser did not allow it: copy the text above.";
    }
  };
  const save = (): void => {
    const url = URL.createObjectURL(new Blob([json], { type: "application/json" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = "rushlight-benchmark.json";
    link.click();
    URL.revokeObjectURL(url);
  };
  return (
    <div class="actions">
      <button type="button" class="small" onClick={() => void copy()}>
        Copy JSON
      </button>
      <button type="button" class="small" onClick={save}>
        Save JSON
      </button>
      <span class="note" role="status">
        {copied.value}
      </span>
    </div>
  );
}
