// What the browser says about its GPU. Read here and handed to the core, which cannot see an adapter's vendor by itself.

import type { AdapterDescription } from "./engine.js";

/** The adapter, or why there is none. */
export type AdapterAnswer =
  | { readonly adapter: AdapterDescription; readonly missing: null }
  | { readonly adapter: null; readonly missing: string };

/** Asks the browser for the adapter it would give. */
export async function describeAdapter(): Promise<AdapterAnswer> {
  const gpu = (navigator as { readonly gpu?: GPU }).gpu;
  if (gpu === undefined) {
    const why = isSecureContext ? "this browser has no WebGPU" : "WebGPU needs a page from https or localhost";
    return { adapter: null, missing: why };
  }
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return { adapter: null, missing: `the browser refused a WebGPU adapter: ${said}` };
  }
  if (adapter === null) return { adapter: null, missing: "the browser offers no WebGPU adapter" };
  const { vendor, architecture, device, description } = adapter.info;
  return { adapter: { vendor, architecture, device, description, isFallbackAdapter: isFallback(adapter) }, missing: null };
}

/** The flag moved from the adapter to its info; browsers have one or the other. */
function isFallback(adapter: GPUAdapter): boolean {
  const info = adapter.info as { readonly isFallbackAdapter?: boolean };
  return info.isFallbackAdapter ?? (adapter as { readonly isFallbackAdapter?: boolean }).isFallbackAdapter ?? false;
}
