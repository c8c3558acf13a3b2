// Runs in the package's worker before the package: makes its GPU one of those that browsers have had, as the address says.
const fault = new URL(import.meta.url).searchParams.get("fault");
const without = (name) => Object.defineProperty(GPUAdapter.prototype, name, { configurable: true, get: () => undefined });
const FAULTS = {
  "no-info": () => without("info"),
  "no-limits": () => without("limits"),
  "no-adapter": () => (GPU.prototype.requestAdapter = async () => null),
  "adapter-throws": () =>
    (GPU.prototype.requestAdapter = () => {
      throw new TypeError("the GPU process crashed");
    }),
  // Without its name, `auto` takes the tests' adapter for a GPU in hardware.
  "device-rejects": () => without("info") && (GPUAdapter.prototype.requestDevice = () => Promise.reject(new DOMException("no device today", "OperationError"))),
  "device-throws": () =>
    without("info") &&
    (GPUAdapter.prototype.requestDevice = () => {
      throw new TypeError("no device today");
    }),
};
FAULTS[fault]();
