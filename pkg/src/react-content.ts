// What a source says, as a text that React can compare: objects that are made anew at each render are equal where they say the same.

/** Blobs are told apart by which they are. */
const blobs = new WeakMap<Blob, number>();
let last = 0;

/** The same text for sources that say the same. */
export function contentOf(from: unknown): string {
  if (from instanceof Blob) {
    const known = blobs.get(from) ?? ++last;
    blobs.set(from, known);
    return `blob ${known}`;
  }
  if (from instanceof URL) return JSON.stringify(from.href);
  if (typeof from !== "object" || from === null) return typeof from === "string" ? JSON.stringify(from) : String(from);
  const entries = Object.entries(from).filter(([, value]) => value !== undefined);
  return `{${entries.map(([name, value]) => `${name}: ${contentOf(value)}`).sort().join(", ")}}`;
}
