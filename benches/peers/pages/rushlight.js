// Our side. The package is imported inside what is timed: a visitor waits for it too.

/** Loads, answers a short prompt, then a long one. */
globalThis.measureGeneration = async ({ model: url, threads, first, prompt, tokens }) => {
  const began = performance.now();
  const { loadModel } = await import("/pkg/dist/index.js");
  const model = await loadModel(url, { backend: "cpu", threads });
  const loaded = performance.now();
  const { device, build, threads: running } = model.info.backend;
  if (running !== threads) throw new Error(`the package runs ${running} threads, not ${threads}`);
  const warm = await timed(model, first, 2);
  const long = tokens > 0 ? await timed(model, prompt, tokens) : {};
  const memory = await model.memory();
  model.dispose();
  return { loadMs: loaded - began, firstTokenMs: warm.firstAt - began, ...long, device: `${device}, build ${build}`, wasmBytes: memory.wasm };
};

/** Answers `prompt` with `tokens` tokens: when the first and the last came, on this page's clock. */
async function timed(model, prompt, tokens) {
  const began = performance.now();
  let firstAt, lastAt;
  const generation = model.generate(prompt, { maxTokens: tokens, reuse: false });
  for await (const piece of generation) {
    if (piece.id === null) continue;
    lastAt = performance.now();
    firstAt ??= lastAt;
  }
  const { promptTokens, tokens: written } = generation.stats;
  return { firstAt, promptTokens, written, prefillMs: firstAt - began, decodeMs: lastAt - firstAt };
}

/** Embeds the same text again and again, after two runs that are not timed. */
globalThis.measureEmbedding = async ({ folder, threads, text, runs }) => {
  const { loadModel } = await import("/pkg/dist/index.js");
  const model = await loadModel(folder, { backend: "cpu", threads });
  const ms = [];
  let vector;
  for (let run = 0; run < runs + 2; run++) {
    const began = performance.now();
    [vector] = await model.embed([text]);
    ms.push(performance.now() - began);
  }
  const device = model.info.backend.device;
  model.dispose();
  return { ms: ms.slice(2), vector: Array.from(vector), device };
};
globalThis.ready = true;
