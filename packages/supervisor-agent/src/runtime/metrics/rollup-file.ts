/** What a rollup knows, on disk: replaced as a whole each minute, so that `kill -9` costs at most the last minute. */
import type { RollupTier } from '@muster/contracts';
import { readIfPresent, replaceFile } from '@muster/contracts/files';
import type { Bucket, Stat } from '../../core/rollup/bucket.ts';
import type { Span } from '../../core/rollup/closed-spans.ts';
import type { RollupState } from '../../core/rollup/rollup.ts';
import type { TierState } from '../../core/rollup/tier.ts';

/** The unit, then count, sum, min, max, last. */
type SavedStat = readonly [unit: string, count: number, sum: number, min: number, max: number, last: number];

interface SavedBucket {
  readonly atMs: number;
  readonly subjects: Readonly<Record<string, Readonly<Record<string, SavedStat>>>>;
}

interface SavedTier {
  readonly open: SavedBucket | null;
  readonly closed: readonly SavedBucket[];
  readonly spans: readonly Span[];
}

type SavedRollup = Readonly<Record<RollupTier, SavedTier>>;

/** @throws Error when the disk does not take it */
export function saveRollup(file: string, state: RollupState): void {
  const saved: SavedRollup = eachTier((tier) => {
    const { open, closed, spans } = state[tier];
    return { open: open === undefined ? null : bucketToJson(open), closed: closed.map(bucketToJson), spans };
  });
  replaceFile(file, JSON.stringify(saved), { isDurable: false });
}

/** `undefined` when there is none yet. @throws Error when it can't be read, or is none of ours */
export function readRollup(file: string): RollupState | undefined {
  const text = readIfPresent(file);
  if (text === undefined) return undefined;
  const saved = JSON.parse(text) as SavedRollup;
  return eachTier((tier): TierState => {
    const { open, closed, spans } = saved[tier];
    return {
      open: open === null ? undefined : bucketFromJson(open),
      closed: closed.map(bucketFromJson),
      spans: spans.map(([firstMs, lastMs]) => [timeOf(firstMs), timeOf(lastMs)]),
    };
  });
}

function eachTier<T>(of: (tier: RollupTier) => T): Record<RollupTier, T> {
  return { '1m': of('1m'), '15m': of('15m'), '2h': of('2h') };
}

function bucketToJson({ atMs, subjects }: Bucket): SavedBucket {
  const saved = [...subjects].map(([subject, stats]) => {
    const series = [...stats].map(([name, { unit, count, sum, min, max, last }]) => {
      return [name, [unit, count, sum, min, max, last]] as const;
    });
    return [subject, Object.fromEntries(series)];
  });
  return { atMs, subjects: Object.fromEntries(saved) };
}

function bucketFromJson({ atMs, subjects }: SavedBucket): Bucket {
  const read = Object.entries(subjects).map(([subject, series]) => {
    const stats = Object.entries(series).map(([name, stat]) => [name, statFromJson(stat)] as const);
    return [subject, new Map(stats)] as const;
  });
  return { atMs: timeOf(atMs), subjects: new Map(read) };
}

// By hand: these are ten thousands of numbers, and the start belongs to the services.
function statFromJson(stat: SavedStat): Stat {
  const [unit, ...numbers] = stat;
  const isOurs = typeof unit === 'string' && numbers.length === 5 && numbers.every((value) => Number.isFinite(value));
  if (!isOurs) throw new TypeError(`cannot read the history of metrics: ${JSON.stringify(stat)} is no series`);
  const [count, sum, min, max, last] = numbers;
  return { unit, count, sum, min, max, last };
}

function timeOf(ms: number): number {
  if (!Number.isSafeInteger(ms))
    throw new TypeError(`cannot read the history of metrics: ${JSON.stringify(ms)} is no time`);
  return ms;
}
