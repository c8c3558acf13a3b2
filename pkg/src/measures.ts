// What the option `trace` asks for: entries of the page's performance timeline, where its profiler and its observers find them. The
// worker takes the times; the page, whose timeline it is, enters them. Two for an answer, however long it is: a timeline keeps all.

import type { CoreEnd } from "./engine.js";

/** A stretch of time; in milliseconds since 1970, since page and worker count from origins of their own. */
export interface Measure {
  readonly name: "rushlight:load" | "rushlight:prefill" | "rushlight:decode" | "rushlight:embed";
  readonly start: number;
  readonly end: number;
  readonly detail: Readonly<Record<string, number | string>>;
}

/** The time, by a clock that is never set back. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}

/** In the page. */
export function enter({ name, start, end, detail }: Measure): void {
  // Clocks of two threads may differ by a little, and no entry begins before its timeline.
  const at = (time: number): number => Math.max(0, time - performance.timeOrigin);
  performance.measure(name, { start: at(start), end: at(Math.max(start, end)), detail });
}

/** Of an answer that ends now, and whose first piece came at `first`, if one came. */
export function ofAnswer(start: number, first: number | undefined, { promptTokens, cachedTokens, tokens }: CoreEnd): Measure[] {
  const end = now();
  const prefill: Measure = { name: "rushlight:prefill", start, end: first ?? end, detail: { promptTokens, cachedTokens } };
  return first === undefined ? [prefill] : [prefill, { name: "rushlight:decode", start: first, end, detail: { tokens } }];
}
