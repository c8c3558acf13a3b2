// Numbers for people.

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

/** `253113024` becomes `253 MB`. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ""}`;
}

/** `1234` milliseconds become `1.23 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

/** `12345` milliseconds that are still to come become `13 s`: no digits that change faster than they can be read. */
export function left(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** `12.345` becomes `12.3 tokens/s`. */
export function speed(tokensPerSecond: number): string {
  return `${tokensPerSecond.toFixed(tokensPerSecond < 10 ? 2 : 1)} tokens/s`;
}

/** `262144` becomes `262,144`. */
export function count(value: number): string {
  return value.toLocaleString("en");
}

/** `268098176` becomes `268 million`. */
export function millions(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)} billion`;
  return value >= 1e6 ? `${(value / 1e6).toFixed(value < 1e7 ? 1 : 0)} million` : count(value);
}

/** `0.4567` becomes `46%`; what is not nothing never `0%`, and what is not all never `100%`. */
export function percent(share: number): string {
  if (share > 0 && share < 0.01) return "under 1%";
  if (share > 0.99 && share < 1) return "over 99%";
  return `${(share * 100).toFixed(0)}%`;
}

/** How long ago a moment was: `3 days ago`. */
export function ago(moment: number, now: number = Date.now()): string {
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const minutes = Math.round((moment - now) / 60_000);
  if (minutes > -60) return words.format(minutes, "minute");
  if (minutes > -60 * 24) return words.format(Math.round(minutes / 60), "hour");
  return words.format(Math.round(minutes / (60 * 24)), "day");
}
