// The selftest build: every expanded shader, and every case of every kernel.
import init, { createEngine, createSelfTest, expandedShaders } from "/pkg/wasm-selftest/rushlight.js";

await init({ module_or_path: new URL("/pkg/wasm-selftest/rushlight_bg.wasm", location.href) });

/** What the browser's compiler says of each shader: messages and pipeline errors. */
async function compileShaders() {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  const uncaptured = [];
  device.onuncapturederror = (event) => uncaptured.push(event.error.message);
  const shaders = JSON.parse(expandedShaders());
  // All at once: the browser compiles them on as many threads as it has.
  const said = await Promise.all(
    shaders.map(async ([name, code]) => {
      const module = device.createShaderModule({ label: name, code });
      const { messages } = await module.getCompilationInfo();
      const lines = messages.map(({ type, lineNum, message }) => `${name}:${lineNum}: ${type}: ${message}`);
      const pipeline = device.createComputePipelineAsync({ label: name, layout: "auto", compute: { module } });
      return pipeline.then(() => lines, (error) => [...lines, `${name}: ${error.message}`]);
    }),
  );
  device.destroy();
  return { count: shaders.length, said: [...said.flat(), ...uncaptured] };
}

/** Runs all cases on a backend; `progress` can be read meanwhile. */
async function runCases(backend) {
  const test = await createSelfTest(backend);
  const progress = { device: test.device(), total: test.cases(), done: 0, worst: 0, wrong: [], ended: false };
  globalThis.progress = progress;
  void (async () => {
    for (let index = 0; index < progress.total; index++) {
      try {
        progress.worst = Math.max(progress.worst, JSON.parse(await test.run(index)).worst);
      } catch (error) {
        progress.wrong.push(error.message);
      }
      progress.done++;
      // A turn of the event loop, so that the page can be read.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    progress.ended = true;
  })();
}

/** Logits of a small model after each of some positions of a prompt. */
async function logits({ name, backend, ids, positions }) {
  const file = new Uint8Array(await (await fetch(`/small-models/${name}.gguf`)).arrayBuffer());
  const options = { backend, kv: "f32", context: null, adapter: null, fileBytes: file.length };
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
  const engine = await createEngine(JSON.stringify(options), turn);
  // Chunks that fit no boundary of the file.
  for (let at = 0; at < file.length; at += 77_777) await engine.push(file.subarray(at, at + 77_777));
  await engine.finish();
  const found = {};
  for (const position of positions) found[position] = Array.from(await engine.logits(Uint32Array.from(ids.slice(0, position + 1))));
  engine.free();
  return found;
}

globalThis.selftest = { compileShaders, runCases, logits };
