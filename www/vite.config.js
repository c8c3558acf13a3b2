import { defineConfig } from "vite";

import { characterMaps, offline } from "./build/offline.js";

export default defineConfig({
  // Relative addresses: the page works in any folder of any server.
  base: "./",
  plugins: [characterMaps(), offline()],
  build: {
    target: "es2022",
    // The Content-Security-Policy allows no inline script, and no data: module.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
});
