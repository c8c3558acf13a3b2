// The engine's worker, for pages that start it themselves (`LoadOptions.worker`): takes the build that the first message names.
// Imported anywhere else than in a worker it does nothing.

import { toErrorData } from "./errors.js";
import type { Reply, Request } from "./protocol.js";

if ("WorkerGlobalScope" in globalThis) {
  const early: MessageEvent<Request>[] = [];
  globalThis.onmessage = (event: MessageEvent<Request>): void => {
    early.push(event);
    if (early.length > 1) return;
    const { data } = event;
    const full = data.type === "load" && data.request.build === "full";
    // The build puts its own listener in the place of this one.
    (full ? import("./worker-full.js") : import("./worker-compat.js")).then(
      () => {
        for (const waiting of early) globalThis.dispatchEvent(new MessageEvent("message", { data: waiting.data }));
      },
      (error: unknown) => {
        globalThis.postMessage({ type: "fatal", error: toErrorData(error) } satisfies Reply);
      },
    );
  };
}

export {};
