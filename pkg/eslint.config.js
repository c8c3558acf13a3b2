import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "modules", "wasm", "node_modules"] },
  js.configs.recommended,
  {
    files: ["src/**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: ["./tsconfig.json", "./src/isolate-worker/tsconfig.json"], tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Numbers and codes go into messages as they are.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "no-restricted-globals": ["error", { name: "eval", message: "Content-Security-Policy forbids it." }],
    },
  },
  {
    files: ["test/**/*.js", "*.js"],
    languageOptions: {
      globals: {
        AbortController: "readonly",
        Blob: "readonly",
        Buffer: "readonly",
        DOMException: "readonly",
        fetch: "readonly",
        Headers: "readonly",
        File: "readonly",
        MessageChannel: "readonly",
        performance: "readonly",
        process: "readonly",
        Response: "readonly",
        ReadableStream: "readonly",
        setTimeout: "readonly",
        TextDecoder: "readonly",
        TextEncoder: "readonly",
        URL: "readonly",
        WebAssembly: "readonly",
      },
    },
  },
);
