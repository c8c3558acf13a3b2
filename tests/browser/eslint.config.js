import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["node_modules"] },
  js.configs.recommended,
  {
    files: ["**/*.mjs", "**/*.js"],
    // Functions handed to `evaluate` run in the page, all others in node.
    languageOptions: { globals: { ...globals.node, ...globals.browser } },
  },
];
