// What callers hand in as data that can be posted: proxies of Vue and Svelte become what they stand for, and what no worker could take
// is refused by its name.

import { RushlightError } from "./errors.js";

/** Nothing that an option means lies deeper; what holds itself ends here. */
const DEEPEST = 8;

/** A copy of plain data; `name` is what it is called in the message. Entries that are `undefined` are left out. */
export function plainData(value: unknown, name: string, depth = 0): unknown {
  const refuse = (what: string): RushlightError => new RushlightError("ERR_BAD_ARGUMENT", `${name}: expected plain data, got ${what}`);
  switch (typeof value) {
    case "function":
    case "symbol":
    case "bigint":
      throw refuse(`a ${typeof value}`);
    case "object":
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (depth === DEEPEST) throw refuse("something that is nested too deep, or holds itself");
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return Array.from(value as unknown as ArrayLike<number>);
  if (Array.isArray(value)) return Array.from(value, (item, at) => plainData(item, `${name}[${at}]`, depth + 1));
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  if (kind !== "Object") throw refuse(`a ${kind}`);
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries.map(([key, entry]) => [key, plainData(entry, depth === 0 ? key : `${name}.${key}`, depth + 1)]));
}

/** A text, or an error that names it. */
export function text(value: unknown, name: string): string {
  if (typeof value === "string") return value;
  throw new RushlightError("ERR_BAD_ARGUMENT", `${name}: expected a text, got a value of type ${typeof value}`);
}

/** Texts, or an error that names the one that is none. */
export function texts(values: unknown, name: string): string[] {
  if (!Array.isArray(values)) throw new RushlightError("ERR_BAD_ARGUMENT", `${name}: expected a list of texts`);
  return Array.from(values as readonly unknown[], (value, at) => text(value, `${name}[${at}]`));
}
