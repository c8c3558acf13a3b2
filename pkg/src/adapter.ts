// What the browser says about its GPU. Read here and handed to the core, which cannot see an adapter's vendor by itself. Browsers
// differ in what they have of it: everything is looked at with care, since `auto` has the CPU to fall back on.

import type { AdapterHint } from "./engine.js";
import { messageOf } from "./errors.js";
import { LATE, within } from "./late.js";

/** The adapter, or why there is none. */
export type AdapterAnswer = { readonly adapter: AdapterHint } | { readonly missing: string };

type Info = Readonly<Partial<Record<"vendor" | "architecture" | "device" | "description", string>>> & { readonly isFallbackAdapter?: boolean };

/**
 * What of a `GPUAdapter` is looked at. `info` came to Chrome with version 127, and the method before it went with 131; the fallback
 * flag moved to `info`, and browsers have one or the other.
 */
export interface AdapterLike {
  readonly info?: Info;
  readonly requestAdapterInfo?: () => Promise<Info>;
  readonly isFallbackAdapter?: boolean;
}

/** Rasterisers in software, by what they call themselves: Chromium's, Mesa's two, Windows' (WARP). */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|microsoft basic render/i;

/** How long a browser may take to name an adapter: a GPU process that starts takes a second or two, one that hangs for ever. */
const PATIENCE_MS = 10_000;

/** Asks the browser for the adapter that it would give. Never fails, and answers within the patience. */
export async function askAdapter(patienceMs = PATIENCE_MS): Promise<AdapterAnswer> {
  const { navigator, isSecureContext } = globalThis as Partial<typeof globalThis>;
  try {
    const gpu = (navigator as { readonly gpu?: GPU | null } | undefined)?.gpu;
    if (gpu == null) {
      return { missing: isSecureContext === false ? "WebGPU needs a page from https or localhost" : "this browser has no WebGPU" };
    }
    const asked = gpu.requestAdapter({ powerPreference: "high-performance" }) as Promise<AdapterLike | null | undefined>;
    const adapter = await within(patienceMs, asked);
    if (adapter === LATE) return { missing: `the browser named no WebGPU adapter within ${patienceMs / 1000} s` };
    if (adapter == null) return { missing: "the browser offers no WebGPU adapter" };
    return { adapter: describeAdapter(adapter, await infoOf(adapter, patienceMs)) };
  } catch (error) {
    return { missing: `the browser refused a WebGPU adapter: ${messageOf(error)}` };
  }
}

/** What the adapter is, as far as the browser says; it is no reason to do without a GPU. */
async function infoOf(adapter: AdapterLike, patienceMs: number): Promise<Info> {
  try {
    const info = adapter.info ?? (await within(patienceMs, Promise.resolve(adapter.requestAdapterInfo?.())));
    return info === undefined || info === LATE ? {} : info;
  } catch {
    return {};
  }
}

/** Name and kind of an adapter. Any field may be empty or missing: browsers hide what could identify a visitor. */
export function describeAdapter(adapter: AdapterLike, info: Info = adapter.info ?? {}): AdapterHint {
  const { vendor, architecture = "", device, description = "" } = info;
  const fallback = info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  const software = fallback || SOFTWARE.test(`${description} ${architecture}`);
  const name = description || [vendor, architecture, device].filter(Boolean).join(" ");
  return { name: name || (software ? "unnamed software adapter" : "unnamed GPU"), software };
}
