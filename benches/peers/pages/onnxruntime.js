// onnxruntime-web, its CPU build. The ids come with the request: it brings no tokenizer, ours is inside what is timed.

/** Embeds the same ids again and again, after two runs that are not timed. */
globalThis.measureEmbedding = async ({ graph, threads, ids, runs }) => {
  const ort = await import("/onnxruntime/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = new URL("/onnxruntime/", location.href).href;
  ort.env.wasm.numThreads = threads;
  const session = await ort.InferenceSession.create(graph, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  const input = { ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]) };
  const ms = [];
  let vector;
  for (let run = 0; run < runs + 2; run++) {
    const began = performance.now();
    const output = await session.run(input);
    vector = output.embedding.data;
    ms.push(performance.now() - began);
  }
  await session.release();
  return { ms: ms.slice(2), vector: Array.from(vector), device: `${ort.env.wasm.numThreads} threads` };
};
globalThis.ready = true;
