// Models in several files, as llama.cpp splits them: NAME-00001-of-0000N.gguf.

/** Addresses of all parts, from that of the first; `undefined` where it is no such address. A query stays. */
export function partsOf(first: string): string[] | undefined {
  const url = new URL(first);
  const name = /^(.*-)00001(-of-(\d{5})\.gguf)$/.exec(url.pathname);
  if (name === null) return undefined;
  const [, before = "", after = "", count = ""] = name;
  return Array.from({ length: Number(count) }, (_, index) => {
    url.pathname = before + String(index + 1).padStart(5, "0") + after;
    return url.href;
  });
}
