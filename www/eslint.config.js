import js from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "node_modules"] },
  js.configs.recommended,
  {
    files: ["src/**/*.ts", "src/**/*.tsx"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "no-restricted-properties": ["error", { property: "innerHTML", message: "What a model says is text, never markup." }],
      "no-restricted-syntax": [
        "error",
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: "What a model or a document says is text, never markup." },
      ],
    },
  },
  {
    files: ["src/**/*.ts", "src/**/*.tsx"],
    ignores: ["src/engine.ts"],
    rules: {
      "no-restricted-imports": ["error", { name: "rushlight", message: "Through src/engine.ts." }],
    },
  },
  {
    files: ["test/*.js"],
    languageOptions: { globals: { URL: "readonly" } },
  },
  {
    files: ["src/offline/service-worker.js"],
    languageOptions: { globals: { self: "readonly", caches: "readonly", fetch: "readonly", Request: "readonly", Response: "readonly", URL: "readonly", setTimeout: "readonly", __FILES__: "readonly" } },
  },
);
