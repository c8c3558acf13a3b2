// Seeds are whole numbers of 64 bits, with a sign or without.

import { RushlightError } from "./errors.js";

/** A seed as the 64 bits without a sign that the core takes. A `bigint` only where it has to be one. */
export function seedBits(seed: unknown): number | bigint {
  const whole = typeof seed === "number" && Number.isInteger(seed) ? BigInt(seed) : seed;
  if (typeof whole === "bigint") {
    const bits = BigInt.asUintN(64, whole);
    // Those with a sign stay what they are when it is read back.
    if (bits === whole || BigInt.asIntN(64, whole) === whole) return bits <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bits) : bits;
  }
  throw new RushlightError("ERR_BAD_ARGUMENT", `seed: expected a whole number of 64 bits, got ${String(seed)}`);
}
