// How fast the model runs here, as JSON that can be shared.

import { signal } from "@preact/signals";

import { type GenerateStats, type Model, VERSION } from "../engine";
import { speed } from "../words/format";
import { follow } from "../words/progress";
import { ready } from "./model";
import { busyWith, progress, run } from "./work";

/** Rounds that count; one before them warms up. */
const ROUNDS = 3;

/** New tokens of a round. */
const TOKENS = 48;

/** Some 200 tokens of plain English. */
const TEXT =
  "Rushes were gathered in late summer, when they were longest, and laid in water so that they would not dry before they were peeled. " +
  "The peel came off in one pull, but for a thin strip that held the pith together. Drawn through melted fat and left to harden on a piece of " +
  "bark, a rush of two feet burned for most of an hour, and it was turned to a slant in its iron holder so that it would neither drip nor go " +
  "out. A household made several pounds of them at a time, which cost next to nothing and lasted the winter. People read by them, mended nets " +
  "and told stories, and the children were set to move the rush along as it burned. Candles were bought, and kept for visitors. When lamps " +
  "came to the village the holders were hung on a nail, and there most of them stayed until somebody asked what they had been for. ";

/** Middle of an odd number of figures. */
function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** What is shared. */
export interface Result {
  readonly rushlight: string;
  readonly date: string;
  readonly browser: string;
  readonly cores: number;
  readonly isolated: boolean;
  readonly model: Readonly<Record<"name" | "architecture" | "kv", string> & Record<"parameters" | "bytes" | "context", number>>;
  readonly backend: Model["info"]["backend"];
  readonly loadMs: number;
  readonly median: Pick<GenerateStats, "prefillTokensPerSecond" | "decodeTokensPerSecond" | "firstTokenMs">;
  readonly rounds: readonly GenerateStats[];
}

/** The last result. */
export const result = signal<Result | undefined>(undefined);

function describe({ info }: Model, rounds: readonly GenerateStats[]): Result {
  const { backend, name, architecture, kv, parameters, bytes, context, timings } = info;
  const middle = (of: (stats: GenerateStats) => number): number => Number(median(rounds.map(of)).toFixed(2));
  return {
    rushlight: VERSION,
    date: new Date().toISOString(),
    browser: navigator.userAgent,
    cores: navigator.hardwareConcurrency,
    isolated: crossOriginIsolated,
    model: { name, architecture, kv, parameters, bytes, context },
    backend,
    loadMs: Math.round(timings.total),
    median: {
      prefillTokensPerSecond: middle((stats) => stats.prefillTokensPerSecond),
      decodeTokensPerSecond: middle((stats) => stats.decodeTokensPerSecond),
      firstTokenMs: middle((stats) => stats.firstTokenMs),
    },
    rounds,
  };
}

async function measure(signal: AbortSignal): Promise<string> {
  const model = await ready(signal);
  busyWith("generating", "Measuring…");
  const advance = follow("rounds");
  const rounds: GenerateStats[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    progress.value = advance(round, ROUNDS + 1);
    // Another beginning each time, so that nothing of the last round can be used again.
    const answer = model.generate(`${round}. ${TEXT}`, { maxTokens: TOKENS, signal });
    const pieces = answer[Symbol.asyncIterator]();
    while ((await pieces.next()).done !== true);
    if (round > 0 && answer.stats !== undefined) rounds.push(answer.stats);
  }
  result.value = describe(model, rounds);
  const { decodeTokensPerSecond, prefillTokensPerSecond } = result.value.median;
  return `Measured: reads ${speed(prefillTokensPerSecond)}, writes ${speed(decodeTokensPerSecond)}.`;
}

/** Measures the model that is chosen. */
export async function benchmark(): Promise<void> {
  await run(measure);
}
