// How far something is that takes longer than a second.

import { bytes, count, left } from "./format";
import { Rate } from "./rate";

/** What is counted. */
export type Unit = "bytes" | "tokens" | "pages" | "documents" | "sentences" | "passages" | "rounds";

/** How far something is. */
export interface Progress {
  readonly done: number;
  /** Where it is known. */
  readonly total: number | undefined;
  readonly unit: Unit;
  /** Units a second; 0 while it cannot be told. */
  readonly rate: number;
  /** What else there is to say. */
  readonly note?: string;
}

/** Follows one piece of work: give it what is done, and it adds the rate. */
export function follow(unit: Unit): (done: number, total: number | undefined, note?: string) => Progress {
  const rate = new Rate();
  return (done, total, note) => {
    const progress = { done, total, unit, rate: rate.update(done) };
    return note === undefined ? progress : { ...progress, note };
  };
}

/** `120 MB of 253 MB · 45.1 MB/s · 3 s left`. */
export function progressText({ done, total, unit, rate, note }: Progress): string {
  const amount = (value: number): string => (unit === "bytes" ? bytes(value) : count(Math.round(value)));
  const name = unit === "bytes" ? "" : ` ${unit}`;
  const parts = [total === undefined ? `${amount(done)}${name}` : `${amount(done)} of ${amount(total)}${name}`];
  if (rate > 0) {
    parts.push(speedText(rate, unit));
    const remaining = total === undefined ? 0 : ((total - done) * 1000) / rate;
    if (remaining > 1000) parts.push(`${left(remaining)} left`);
  }
  if (note !== undefined) parts.push(note);
  return parts.join(" · ");
}

function speedText(rate: number, unit: Unit): string {
  if (unit === "bytes") return `${bytes(rate)}/s`;
  return rate < 1 ? `${(1 / rate).toFixed(1)} s each` : `${rate.toFixed(rate < 10 ? 1 : 0)} ${unit}/s`;
}
