// Lets a file arrive as a load does, through the package's own modules, and says what came: `loadModel` would want a model.

import { arrive } from "/pkg/modules/arrival/arrive.js";
import { Sha256 } from "/pkg/modules/arrival/sha256.js";
import { browserWorld } from "/pkg/modules/arrival/world.js";

globalThis.onmessage = async ({ data: { url, sizes, wanted } }) => {
  try {
    const world = { ...(await browserWorld("opfs")), ...sizes };
    const asked = { sha256: null, manifest: null, connections: 4, siblings: [], ...wanted };
    const arrival = await arrive(url, asked, world, new AbortController().signal);
    const hash = new Sha256();
    let bytes = 0;
    for await (const chunk of arrival.chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      globalThis.postMessage({ bytes, cached: arrival.cached() });
    }
    globalThis.postMessage({ done: true, bytes, cached: arrival.cached(), sha256: hash.hex() });
  } catch (error) {
    globalThis.postMessage({ done: true, code: error.code ?? String(error), message: error.message });
  }
};
