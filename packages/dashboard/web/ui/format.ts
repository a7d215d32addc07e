/** Numbers for people. A no-break space keeps a number and its unit on one line. */
const NBSP = '\u00a0';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Two units at most: `4 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(ms: number): string {
  const of = (unitMs: number) => Math.floor(Math.max(0, ms) / unitMs);
  const [days, hours, minutes, seconds] = [of(DAY_MS), of(HOUR_MS) % 24, of(MINUTE_MS) % 60, of(SECOND_MS) % 60];
  if (days > 0) return pair(days, 'd', hours, 'h');
  if (hours > 0) return pair(hours, 'h', minutes, 'min');
  if (minutes > 0) return pair(minutes, 'min', seconds, 's');
  return `${seconds}${NBSP}s`;
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  const first = `${large}${NBSP}${largeUnit}`;
  return small === 0 ? first : `${first} ${small}${NBSP}${smallUnit}`;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Three digits at most: `84 MiB`, `1.2 GiB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)}${NBSP}${BYTE_UNITS[power]}`;
}

/** Of one core, or of a whole: `0.4 %`, `37 %`. */
export function formatRatio(ratio: number): string {
  const percent = ratio * 100;
  return `${percent < 10 ? percent.toFixed(1) : Math.round(percent)}${NBSP}%`;
}

/** `0.8 ms`, `24 ms`, `1.3 s`. */
export function formatLatency(ms: number): string {
  if (ms >= SECOND_MS) return `${(ms / SECOND_MS).toFixed(1)}${NBSP}s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}${NBSP}ms`;
}

/** `running` → `Running`. */
export function capitalize(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}
