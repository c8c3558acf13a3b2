// Models in several files, as llama.cpp splits them: NAME-00001-of-0000N.gguf.

/** The name of a part: what is before its number, its number, and what is behind. */
const PART = /^(.*-)(\d{5})(-of-(\d{5})\.gguf)$/i;

/** Addresses of all parts, from that of the first; `undefined` where it is no such address. A query stays. */
export function partsOf(first: string): string[] | undefined {
  const url = new URL(first);
  const [, before = "", number, after = "", count = ""] = PART.exec(url.pathname) ?? [];
  if (Number(number) !== 1) return undefined;
  return Array.from({ length: Number(count) }, (_, index) => {
    url.pathname = before + numbered(index + 1) + after;
    return url.href;
  });
}

/** Of a part that is not the first one: which it is of how many, and the name of the first one. */
export function laterPart(name: string): { readonly part: number; readonly count: number; readonly first: string } | undefined {
  const [, before = "", number = "", after = "", count = ""] = PART.exec(name.slice(name.lastIndexOf("/") + 1)) ?? [];
  return Number(number) > 1 ? { part: Number(number), count: Number(count), first: before + numbered(1) + after } : undefined;
}

function numbered(part: number): string {
  return String(part).padStart(5, "0");
}
