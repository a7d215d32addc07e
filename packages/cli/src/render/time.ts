import { printable } from '@muster/contracts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** An age for a table: `0s`, `59s`, `4m`, `3h12m`, `5d4h`. Never negative: another host's clock may be ahead of ours. */
export function formatAge(ageMs: number): string {
  const ms = Math.max(0, ageMs);
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)}s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)}m`;
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)}h${pad(Math.floor((ms % HOUR_MS) / MINUTE_MS))}m`;
  return `${Math.floor(ms / DAY_MS)}d${Math.floor((ms % DAY_MS) / HOUR_MS)}h`;
}

/** A span for a sentence: `0.3 s`, `12 s`, `4 min`, `3 h 12 min`, `5 d 4 h`. */
export function formatSpan(spanMs: number): string {
  const ms = Math.max(0, spanMs);
  if (ms < 10 * SECOND_MS) return `${(Math.round(ms / 100) / 10).toString()} s`;
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < DAY_MS) return twoUnits(ms, HOUR_MS, 'h', MINUTE_MS, 'min');
  return twoUnits(ms, DAY_MS, 'd', HOUR_MS, 'h');
}

function twoUnits(ms: number, largeMs: number, large: string, smallMs: number, small: string): string {
  const rest = Math.floor((ms % largeMs) / smallMs);
  return `${Math.floor(ms / largeMs)} ${large}${rest === 0 ? '' : ` ${rest} ${small}`}`;
}

/** `2026-11-23 17:40:01.123Z`: the same on every machine, so that two people can talk about it. */
export function formatInstant(rfc3339: string): string {
  const at = new Date(rfc3339);
  return Number.isNaN(at.getTime()) ? printable(rfc3339) : at.toISOString().replace('T', ' ');
}

/** From `rfc3339` to `nowMs` (unix milliseconds); undefined when it is no time. */
export function ageOf(rfc3339: string, nowMs: number): number | undefined {
  const at = Date.parse(rfc3339);
  return Number.isNaN(at) ? undefined : nowMs - at;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
