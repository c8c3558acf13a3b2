// What the browser says about its GPU. Read here and handed to the core, which cannot see an adapter's vendor by itself.

import type { AdapterHint } from "./engine.js";

/** The adapter, or why there is none. */
export type AdapterAnswer = { readonly adapter: AdapterHint } | { readonly missing: string };

/** What of a `GPUAdapter` is looked at. The fallback flag moved to `info`; browsers have one or the other. */
export interface AdapterLike {
  readonly info: Readonly<Record<"vendor" | "architecture" | "device" | "description", string>> & {
    readonly isFallbackAdapter?: boolean;
  };
  readonly isFallbackAdapter?: boolean;
}

/** Rasterisers in software, by what they call themselves: Chromium's, Mesa's two, Windows' (WARP). */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|microsoft basic render/i;

/** Asks the browser for the adapter it would give. */
export async function askAdapter(): Promise<AdapterAnswer> {
  const gpu = (navigator as { readonly gpu?: GPU }).gpu;
  if (gpu === undefined) {
    return { missing: isSecureContext ? "this browser has no WebGPU" : "WebGPU needs a page from https or localhost" };
  }
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (error) {
    return { missing: `the browser refused a WebGPU adapter: ${error instanceof Error ? error.message : String(error)}` };
  }
  return adapter === null ? { missing: "the browser offers no WebGPU adapter" } : { adapter: describeAdapter(adapter) };
}

/** Name and kind of an adapter. Any field may be empty: browsers hide what could identify a visitor. */
export function describeAdapter(adapter: AdapterLike): AdapterHint {
  const { vendor, architecture, device, description } = adapter.info;
  const name = description || [vendor, architecture, device].filter(Boolean).join(" ");
  const fallback = adapter.info.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
  return { name, software: fallback || SOFTWARE.test(`${description} ${architecture}`) };
}
