import { z } from 'zod';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Timers of Node take a signed 32-bit number of milliseconds and fire at once beyond it, so durations end before that. */
const MAX_DURATION_MS = 24 * 86_400_000;

/** Milliseconds of `30` (seconds), `"30s"`, `"1m30s"`, `"250ms"`; `undefined` when it is no duration, or longer than 24 days. */
export function parseDuration(value: number | string): number | undefined {
  const durationMs = typeof value === 'number' ? value * 1_000 : sumOfParts(value.trim());
  if (durationMs === undefined || !(durationMs >= 0 && durationMs <= MAX_DURATION_MS)) return undefined;
  return Math.round(durationMs);
}

function sumOfParts(text: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let sumMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    sumMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
  }
  return sumMs;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800, y: 31_536_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
};

/** Whole seconds of `3600`, `"30d"`, `"1y"` (365 days); `undefined` when it is no age. */
export function parseAge(value: number | string): number | undefined {
  return rounded(amountOf(value, /^(\d+(?:\.\d+)?)\s*([smhdwy])?$/, UNIT_SECONDS));
}

/** Whole bytes of `1048576`, `"512MiB"`, `"2GB"`; `undefined` when it is no size. */
export function parseSize(value: number | string): number | undefined {
  return rounded(amountOf(value, /^(\d+(?:\.\d+)?)\s*([kMGT]?B|[KMGT]iB)?$/, UNIT_BYTES));
}

function amountOf(
  value: number | string,
  pattern: RegExp,
  units: Readonly<Record<string, number>>,
): number | undefined {
  if (typeof value === 'number') return value;
  const [, amount, unit] = pattern.exec(value.trim()) ?? [];
  return amount === undefined ? undefined : Number(amount) * (unit === undefined ? 1 : (units[unit] ?? Number.NaN));
}

function rounded(amount: number | undefined): number | undefined {
  return amount === undefined || !Number.isFinite(amount) ? undefined : Math.round(amount);
}

/** What people write, read by `parse` and within bounds. `rule` says what would do. */
export function measure(
  rule: string,
  parse: (value: number | string) => number | undefined,
  least: number,
  most: number,
) {
  return z
    .union([z.number({ error: rule }), z.string({ error: rule })], { error: rule })
    .transform((value, context) => {
      const parsed = parse(value);
      if (parsed !== undefined && parsed >= least && parsed <= most) return parsed;
      context.addIssue({ code: 'custom', message: rule, input: value });
      return z.NEVER;
    });
}

/** A size as people write it, read into bytes. */
export function sizeBytes() {
  const rule = 'write a size from 1 KiB to 1 GiB: bytes (65536), or with a unit ("64KiB", "1MB")';
  return measure(rule, parseSize, 1_024, 1_024 ** 3);
}

/** A duration as people write it, read into milliseconds. */
export function durationMs(atLeastMs: 0 | 1) {
  const rule = `write a duration${atLeastMs > 0 ? ' above zero' : ''} of at most 24 days: seconds (30), or with a unit ("250ms", "30s", "5m")`;
  return measure(rule, parseDuration, atLeastMs, MAX_DURATION_MS);
}
