// wllama. It is given what makes it faster: as many threads as asked for (its default is half the cores), one slot, no warm-up
// run at load, the file as a Blob straight from the network instead of by way of its cache.

const quiet = { debug() {}, log() {}, warn() {}, error: (...words) => console.error(...words) };

/** Loads, answers a short prompt, then a long one. */
globalThis.measureGeneration = async ({ model: url, threads, first, prompt, tokens }) => {
  const began = performance.now();
  const { Wllama } = await import("/wllama/index.js");
  const wllama = new Wllama({ default: "/wllama/wasm/wllama.wasm" }, { suppressNativeLog: true, logger: quiet });
  const blob = await (await fetch(url)).blob();
  const options = { n_threads: threads, n_gpu_layers: 0, n_ctx: 1024, n_parallel: 1, warmup: false };
  await wllama.loadModel([blob], options);
  const loaded = performance.now();
  if (wllama.getNumThreads() !== threads) throw new Error(`wllama runs ${wllama.getNumThreads()} threads, not ${threads}`);
  const warm = await timed(wllama, first, 2);
  const long = tokens > 0 ? await timed(wllama, prompt, tokens) : {};
  await wllama.exit();
  return { loadMs: loaded - began, firstTokenMs: warm.firstAt - began, ...long, device: `${threads} threads` };
};

async function timed(wllama, prompt, tokens) {
  const began = performance.now();
  let firstAt, lastAt, timings;
  const options = { prompt, max_tokens: tokens, temperature: 0, top_k: 1, ignore_eos: true, stream: true };
  for await (const chunk of await wllama.createCompletion(options)) {
    timings = chunk.timings ?? timings;
    // The last chunk brings no token but the reason for the end.
    if (chunk.choices[0]?.finish_reason) continue;
    lastAt = performance.now();
    firstAt ??= lastAt;
  }
  const { prompt_n: promptTokens, predicted_n: written, cache_n: cached } = timings;
  return { firstAt, promptTokens, cached, written, prefillMs: firstAt - began, decodeMs: lastAt - firstAt, timings };
}
globalThis.ready = true;
