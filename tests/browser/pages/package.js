// The built package as the browser loads it by itself, for tests that need more than the demo page offers.
import * as rushlight from "/pkg/dist/index.js";

globalThis.rushlight = rushlight;
