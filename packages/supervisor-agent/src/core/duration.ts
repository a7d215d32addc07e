const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** For people, in the largest unit that fits and one decimal at most: `420 ms`, `2.1 s`, `10 min`, `1.5 h`. */
export function describeDuration(durationMs: number): string {
  if (durationMs < SECOND_MS) return `${Math.round(durationMs)} ms`;
  if (durationMs < MINUTE_MS) return `${inUnit(durationMs, SECOND_MS)} s`;
  if (durationMs < HOUR_MS) return `${inUnit(durationMs, MINUTE_MS)} min`;
  return `${inUnit(durationMs, HOUR_MS)} h`;
}

function inUnit(durationMs: number, unitMs: number): number {
  return Math.round((durationMs / unitMs) * 10) / 10;
}
