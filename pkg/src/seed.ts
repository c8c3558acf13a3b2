// Seeds are whole numbers of 64 bits, with a sign or without. Without errors of its own, since every entry uses it.

const LEAST = -(2n ** 63n);
const MOST = 2n ** 64n - 1n;

/** What a seed may be, for messages. */
export const SEEDS = `a whole number from ${LEAST} to ${MOST}`;

/** A seed as the 64 bits without a sign that the core takes; `undefined` where it is none. A `bigint` only where it has to be one. */
export function seedBits(seed: unknown): number | bigint | undefined {
  const whole = typeof seed === "number" && Number.isInteger(seed) ? BigInt(seed) : seed;
  if (typeof whole !== "bigint" || whole < LEAST || whole > MOST) return undefined;
  const bits = BigInt.asUintN(64, whole);
  return bits <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(bits) : bits;
}
