// Which of the two builds of the core this browser runs, and on how many threads: decided before anything is fetched.

import { RushlightError } from "./errors.js";
import type { BuildChoice } from "./types.js";

/** The smallest module that uses a 128-bit vector: `(func (drop (v128.const 0)))`. */
const SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 23, 1, 21, 0, 253, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 26, 11,
]);

/** Three splats of 0 through `i32x4.relaxed_dot_i8x16_i7x16_add_s`. */
const RELAXED_SIMD = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 20, 1, 18, 0, 65, 0, 253, 15, 65, 0, 253, 15, 65, 0, 253, 15,
  253, 147, 2, 26, 11,
]);

/** A shared memory of one page, and `i32.atomic.load` from it. */
const ATOMICS = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 5, 4, 1, 3, 1, 1, 10, 11, 1, 9, 0, 65, 0, 254, 16, 2, 0, 26, 11,
]);

/** More threads than this wait for memory, not for one another's sums, and leave nothing for the page. */
const MOST_THREADS = 8;

/** What a browser can do, as far as the choice goes. */
export interface Abilities {
  readonly simd: boolean;
  /** Everything that the build `full` needs. */
  readonly full: boolean;
  /** Whether workers can share a memory: the page has to be cross-origin isolated. */
  readonly sharing: boolean;
  readonly cores: number;
}

/** A build, and how many threads it is to have. */
export interface Build {
  readonly build: Exclude<BuildChoice, "auto">;
  readonly threads: number;
}

/** Asks this browser. */
export function abilities(): Abilities {
  return {
    simd: WebAssembly.validate(SIMD),
    full: WebAssembly.validate(RELAXED_SIMD) && WebAssembly.validate(ATOMICS) && hasSharedMemory() && "waitAsync" in Atomics,
    sharing: (globalThis as { readonly crossOriginIsolated?: boolean }).crossOriginIsolated ?? false,
    // Safari says at most 8, and a browser that hides the number says 2 or nothing.
    cores: (globalThis.navigator as { readonly hardwareConcurrency?: number } | undefined)?.hardwareConcurrency ?? 1,
  };
}

/** Browsers may refuse a shared memory to a page that could not pass it on anyway. */
function hasSharedMemory(): boolean {
  try {
    return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer.byteLength > 0;
  } catch {
    return false;
  }
}

/** Picks a build. `threads` is what the caller asks for: never more than there are cores. */
export function pickBuild(wanted: BuildChoice, threads: number | undefined, can: Abilities): Build {
  if (!can.simd) {
    throw new RushlightError("ERR_NO_BACKEND", "this browser's WebAssembly has no SIMD; a version from 2023 or later is needed");
  }
  if (wanted === "full" && !can.full) {
    throw new RushlightError("ERR_NO_BACKEND", "this browser's WebAssembly has no relaxed SIMD or no shared memory: take the build compat");
  }
  if (wanted === "compat" || !can.full) return { build: "compat", threads: 1 };
  const most = can.sharing ? can.cores : 1;
  return { build: "full", threads: Math.min(threads ?? MOST_THREADS, most) };
}
