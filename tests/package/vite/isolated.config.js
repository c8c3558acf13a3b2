// Only the headers that cross-origin isolation needs of any server: for the package nothing is set.
export default {
  server: {
    headers: { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" },
  },
};
