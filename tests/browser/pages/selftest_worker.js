// The selftest build, `?build=full&threads=2`: every expanded shader, every case of every kernel, logits of small models.
import { compile, reserveMemory } from "/pkg/modules/shared-core.js";

const query = new URLSearchParams(location.search);
const build = query.get("build") ?? "compat";
const threads = Number(query.get("threads") ?? 1);

const core = await import(`/pkg/wasm-selftest/${build}/rushlight.js`);
const url = new URL(`/pkg/wasm-selftest/${build}/rushlight_bg.wasm`, location.href);
const shared = build === "full" ? { module: await compile(url), memory: reserveMemory() } : undefined;
await core.default(shared === undefined ? { module_or_path: url } : { module_or_path: shared.module, memory: shared.memory });

let lent = 0;

/** Has the page lend the executor that was just made a thread for each place. Those that an earlier one let go of come by themselves. */
async function lendThreads() {
  const missing = core.poolVacancies() - lent;
  if (missing > 0) {
    lent += missing;
    globalThis.postMessage({ lend: missing, shared });
  }
  while (core.poolVacancies() > 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** What the browser's compiler says of each shader: messages and pipeline errors. */
async function compileShaders() {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  const uncaptured = [];
  device.onuncapturederror = (event) => uncaptured.push(event.error.message);
  const shaders = JSON.parse(core.expandedShaders());
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

/** Runs all cases on a backend and says how far it is meanwhile. */
async function runCases(backend) {
  const test = await core.createSelfTest(backend, threads);
  await lendThreads();
  const progress = { device: test.device(), total: test.cases(), done: 0, worst: 0, wrong: [] };
  for (let index = 0; index < progress.total; index++) {
    try {
      progress.worst = Math.max(progress.worst, JSON.parse(await test.run(index)).worst);
    } catch (error) {
      progress.wrong.push(error.message);
    }
    progress.done++;
    globalThis.postMessage({ progress: { ...progress, ended: progress.done === progress.total } });
    // A turn of the event loop, so that devices are heard.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** Logits of a small model after each of some positions of a prompt. */
async function logits({ name, backend, ids, positions }) {
  const file = new Uint8Array(await (await fetch(`/small-models/${name}.gguf`)).arrayBuffer());
  const options = { backend, precision: "exact", kv: "f32", context: null, adapter: null, fileBytes: file.length, threads };
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
  const engine = await core.createEngine(JSON.stringify(options), turn);
  await lendThreads();
  // Chunks that fit no boundary of the file.
  for (let at = 0; at < file.length; at += 77_777) await engine.push(file.subarray(at, at + 77_777));
  await engine.finish();
  const found = {};
  for (const position of positions) found[position] = Array.from(await engine.logits(Uint32Array.from(ids.slice(0, position + 1))));
  engine.free();
  return found;
}

/** Lets a task panic on the pool's other thread while this one waits for it. */
async function trapInPool() {
  const test = new core.PoolTrap();
  await lendThreads();
  try {
    test.run();
    return { trapped: false };
  } catch (error) {
    return { trapped: error instanceof WebAssembly.RuntimeError, panic: core.lastPanic() };
  }
}

const verbs = { compileShaders, runCases, logits, trapInPool, wideCounts: async () => core.wideCounts() };
globalThis.onmessage = ({ data: { id, name, argument } }) => {
  verbs[name](argument).then(
    (value) => globalThis.postMessage({ id, value }),
    (error) => globalThis.postMessage({ id, error: String(error?.stack ?? error) }),
  );
};
globalThis.postMessage({ id: "ready", value: Object.keys(verbs) });
