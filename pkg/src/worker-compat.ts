// The worker that owns the wasm core of the build `compat`: one thread. `loadModel` starts it.

import init, { createEngine, lastPanic, poolVacancies } from "../wasm/compat/rushlight.js";
import { serve } from "./serve.js";

serve({
  core: {
    // Written out in this form so that bundlers find the file.
    init: () => init({ module_or_path: new URL("../wasm/compat/rushlight_bg.wasm", import.meta.url) }),
    createEngine,
    lastPanic,
    poolVacancies,
  },
  // Its pool never has room.
  lendThreads: () => Promise.resolve(),
});
