// What a screen reader hears of a text that is being written: whole sentences, since single tokens would talk over each other.

import { signal } from "@preact/signals";

/** The sentences of the last answer, for a live region. */
export const announced = signal<readonly string[]>([]);

/** A sentence's end that is followed by something, or a line's. */
const END = /^[\s\S]*?(?:[.!?…][)"'”’]*\s+|\n+)/;

let rest = "";
let fresh = true;

/** Takes in the next piece of text. */
export function announce(text: string): void {
  if (fresh) announced.value = [];
  fresh = false;
  rest += text;
  const sentences: string[] = [];
  for (let found = END.exec(rest); found !== null; found = END.exec(rest)) {
    if (found[0].trim() !== "") sentences.push(found[0].trim());
    rest = rest.slice(found[0].length);
  }
  if (sentences.length > 0) announced.value = [...announced.value, ...sentences];
}

/** Says what is left; the next piece begins another text. */
export function finishAnnouncing(): void {
  if (rest.trim() !== "") announced.value = [...announced.value, rest.trim()];
  rest = "";
  fresh = true;
}
