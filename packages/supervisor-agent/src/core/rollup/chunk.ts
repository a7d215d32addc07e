/** Buckets of one host or service as columns, as they travel. */
import type { RollupColumns, RollupTier } from '@muster/contracts';
import type { Bucket, Stat, Subject } from './bucket.ts';

/** A chunk that is complete; `firstBucketMs` is the first bucket in which something was measured. */
export interface Chunk {
  readonly subject: Subject;
  readonly tier: RollupTier;
  readonly firstBucketMs: number;
  readonly bucketMs: number;
  readonly series: RollupColumns['series'];
}

/**
 * Significant digits of a value on the wire: an error of at most half a percent, which no chart shows. Counts are exact,
 * and so is everything that is still summed up.
 */
const WIRE_DIGITS = 3;

/** The columns of `subject`, from the first bucket that knows it to the last; `undefined` when none does. */
export function chunkOf(
  tier: RollupTier,
  bucketMs: number,
  subject: Subject,
  buckets: readonly Bucket[],
): Chunk | undefined {
  const known = buckets.filter(({ subjects }) => subjects.has(subject)).sort((a, b) => a.atMs - b.atMs);
  const [first] = known;
  const last = known.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const length = (last.atMs - first.atMs) / bucketMs + 1;
  const columns = new Map<string, RollupColumns['series'][number]>();
  for (const { atMs, subjects } of known) {
    const at = (atMs - first.atMs) / bucketMs;
    for (const [name, stat] of subjects.get(subject) ?? []) {
      let column = columns.get(name);
      if (column === undefined) {
        column = emptyColumn(name, stat.unit, length);
        columns.set(name, column);
      }
      write(column, at, stat);
    }
  }
  return { subject, tier, firstBucketMs: first.atMs, bucketMs, series: [...columns.values()] };
}

function emptyColumn(name: string, unit: string, length: number): RollupColumns['series'][number] {
  const nulls = () => Array.from<number | null>({ length }).fill(null);
  const count = Array.from<number>({ length }).fill(0);
  return { name, unit, count, sum: nulls(), min: nulls(), max: nulls(), last: nulls() };
}

function write(column: RollupColumns['series'][number], at: number, stat: Stat): void {
  column.count[at] = stat.count;
  column.sum[at] = shortened(stat.sum);
  column.min[at] = shortened(stat.min);
  column.max[at] = shortened(stat.max);
  column.last[at] = shortened(stat.last);
}

function shortened(value: number): number {
  return Number(value.toPrecision(WIRE_DIGITS));
}
