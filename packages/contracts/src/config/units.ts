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

const UNIT_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1_000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1_024,
  MiB: 1_024 ** 2,
  GiB: 1_024 ** 3,
};

/** Bytes of `65536`, `"64KiB"`, `"1.5MB"`; `undefined` when it is no size. */
export function parseSize(value: number | string): number | undefined {
  const [, amount, unit = 'B'] = /^(\d+(?:\.\d+)?)\s*([kMG]B|[KMG]iB|B)?$/.exec(String(value).trim()) ?? [];
  const bytes = Math.round(Number(amount) * (UNIT_BYTES[unit] ?? Number.NaN));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A size as people write it, read into bytes. */
export function sizeBytes() {
  const expected = 'write a size from 1 KiB to 1 GiB: bytes (65536), or with a unit ("64KiB", "1MB")';
  return z
    .union([z.number({ error: expected }), z.string({ error: expected })], { error: expected })
    .transform((value, context) => {
      const bytes = parseSize(value);
      if (bytes !== undefined && bytes >= 1_024 && bytes <= 1_024 ** 3) return bytes;
      context.addIssue({ code: 'custom', message: expected, input: value });
      return z.NEVER;
    });
}

/** A duration as people write it, read into milliseconds. */
export function durationMs(atLeastMs: 0 | 1) {
  const expected = `write a duration${atLeastMs > 0 ? ' above zero' : ''} of at most 24 days: seconds (30), or with a unit ("250ms", "30s", "5m")`;
  return z
    .union([z.number({ error: expected }), z.string({ error: expected })], { error: expected })
    .transform((value, context) => {
      const parsedMs = parseDuration(value);
      if (parsedMs !== undefined && parsedMs >= atLeastMs) return parsedMs;
      context.addIssue({ code: 'custom', message: expected, input: value });
      return z.NEVER;
    });
}
