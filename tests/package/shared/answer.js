// What each of the apps does with the package: loads a model that lies beside the page, and lets it write a few tokens.

/** Loads with these options; what ran, and the text. */
export async function answer(loadModel, options) {
  const model = await loadModel("model.gguf", { backend: "cpu", ...options });
  const generation = model.generate("hello of the capital", { maxTokens: 8 });
  let text = "";
  for await (const piece of generation) text += piece.text;
  model.dispose();
  const { build, threads } = model.info.backend;
  return { build, threads, text, tokens: generation.stats.tokens, isolated: crossOriginIsolated };
}
