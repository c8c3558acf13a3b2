// The module and the memory that the workers of the build `full` have in common.

import { RushlightError } from "./errors.js";

/** What a worker needs to enter the core. */
export interface SharedCore {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** Pages of 64 KiB to begin with: `initial-memory` of xtask/src/flavour.rs is 64, and wasm-bindgen adds one. */
const INITIAL_PAGES = 80;

/** Pages to reserve at most. A shared memory can't move, so its whole range is reserved at once, which a browser may refuse. */
const MAXIMUM_PAGES = [65536, 49152, 32768, 16384, 8192];

/** The largest shared memory that this browser gives. */
export function reserveMemory(): WebAssembly.Memory {
  for (const maximum of MAXIMUM_PAGES) {
    try {
      return new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared: true });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw new RushlightError("ERR_OUT_OF_MEMORY", "the browser reserves no memory for the model");
}

/** Fetches and compiles a module, while it arrives where the server names its type. */
export async function compile(url: URL): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  if (!response.ok) {
    throw new RushlightError("ERR_NETWORK", `${url.href}: the server answered ${response.status}`, { status: response.status });
  }
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("application/wasm")) return await WebAssembly.compileStreaming(response);
  return await WebAssembly.compile(await response.arrayBuffer());
}
