// Bytes of a text file as text.

/** Encodings by their byte order mark. */
const MARKS = [
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
] as const;

/** The text; `undefined` where it is none. Without a mark it is UTF-8, and where that fails what Windows took for Western texts. */
export function decode(bytes: Uint8Array): string | undefined {
  const mark = MARKS.find(([start]) => start.every((byte, at) => bytes[at] === byte));
  if (mark !== undefined) return new TextDecoder(mark[1]).decode(bytes);
  // No encoding of text without a mark has this byte.
  if (bytes.subarray(0, 65_536).includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
