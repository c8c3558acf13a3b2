// GPUs as browsers have had them: without a name, without limits, with a device that does not open. `auto` goes on with the CPU and
// says why, `gpu` fails with a code; an adapter that only does not say what it is runs the model.

import assert from "node:assert/strict";

import { writeSmallModels } from "../lib/small_models.mjs";

const MODEL = "/small-models/gemma3-f32-64.gguf";

/** Each fault, and what is said of it; `null` where the GPU runs the model all the same. */
const FAULTS = {
  "no-info": null,
  "no-limits": /could not be opened/,
  "no-adapter": /no WebGPU adapter/,
  "adapter-throws": /the GPU process crashed/,
  "device-rejects": /no device today|device/,
  "device-throws": /could not be opened: no device today/,
};

/** In the page: what loads with a backend, and says. */
const attempt = async ({ url, backend }) => {
  try {
    const model = await globalThis.rushlight.loadModel(url, { backend });
    let pieces = 0;
    for await (const piece of model.generate("The capital", { maxTokens: 1 })) pieces += piece.id === null ? 0 : 1;
    const { kind, device, reason } = model.info.backend;
    model.dispose();
    return { kind, device, reason, pieces };
  } catch (error) {
    return { code: error.code, reason: error.message };
  }
};

export default Object.entries(FAULTS).map(([fault, said]) => ({
  name: `gpu faults: chromium, ${fault}`,
  async run(context) {
    writeSmallModels();
    context.server.state.beforeWorker = `/test/gpu_faults.js?fault=${fault}`;
    try {
      const page = await context.page("chromium", "/test/package.html");
      await page.waitFor("the package", () => globalThis.rushlight !== undefined);
      const results = {};
      for (const backend of ["auto", "gpu"]) results[backend] = await page.evaluate(attempt, { url: MODEL, backend });
      assert.ok(results.auto.pieces > 0, JSON.stringify(results.auto));
      if (said === null) {
        assert.deepEqual([results.auto.kind, results.gpu.kind], ["gpu", "gpu"], JSON.stringify(results));
        assert.match(results.gpu.device, /unnamed GPU/);
        return results.gpu.device;
      }
      assert.equal(results.auto.kind, "cpu");
      assert.match(results.auto.reason, said);
      assert.equal(results.gpu.code, "ERR_NO_BACKEND", JSON.stringify(results.gpu));
      assert.match(results.gpu.reason, said);
      return results.auto.reason;
    } finally {
      context.server.state.beforeWorker = undefined;
    }
  },
}));
