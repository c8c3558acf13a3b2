// The selftest build: every expanded shader, and every case of every kernel.
import init, { createSelfTest, expandedShaders } from "/pkg/wasm-selftest/rushlight.js";

await init({ module_or_path: new URL("/pkg/wasm-selftest/rushlight_bg.wasm", location.href) });

/** What the browser's compiler says of each shader: messages and pipeline errors. */
async function compileShaders() {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  const uncaptured = [];
  device.onuncapturederror = (event) => uncaptured.push(event.error.message);
  const said = [];
  const shaders = JSON.parse(expandedShaders());
  for (const [name, code] of shaders) {
    const module = device.createShaderModule({ label: name, code });
    const { messages } = await module.getCompilationInfo();
    said.push(...messages.map(({ type, lineNum, message }) => `${name}:${lineNum}: ${type}: ${message}`));
    try {
      await device.createComputePipelineAsync({ label: name, layout: "auto", compute: { module } });
    } catch (error) {
      said.push(`${name}: ${error.message}`);
    }
  }
  device.destroy();
  return { count: shaders.length, said: [...said, ...uncaptured] };
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

globalThis.selftest = { compileShaders, runCases };
