/** Chunks of history as the columns of a chart. Pure. */
import type { RollupColumns } from '../messages/metrics.ts';

/** What is known of one series within one bucket. */
interface Bucket {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly last: number;
}

/** The buckets of one series, by when they begin. */
export interface SeriesBuckets {
  readonly unit: string;
  readonly buckets: ReadonlyMap<number, Bucket>;
}

/** One series in columns; null where nothing was measured. */
export interface ChartSeries {
  readonly name: string;
  readonly unit: string;
  readonly count: readonly number[];
  readonly mean: readonly (number | null)[];
  readonly min: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  readonly last: readonly (number | null)[];
}

/** Columns of equal length, in wall-clock milliseconds. */
export interface ChartFrame {
  readonly fromMs: number;
  readonly stepMs: number;
  readonly columns: number;
}

/**
 * At most `width` (two or more) columns of whole buckets that cover from `fromMs` to `toMs`. They begin at multiples of
 * their length, so that a chart that moves on with time does not flicker.
 */
export function frameOf(fromMs: number, toMs: number, width: number, bucketMs: number): ChartFrame {
  const frame = frameOfParts(fromMs, toMs, width, bucketMs);
  return frame.columns <= width ? frame : frameOfParts(fromMs, toMs, width - 1, bucketMs);
}

function frameOfParts(fromMs: number, toMs: number, parts: number, bucketMs: number): ChartFrame {
  const stepMs = bucketMs * Math.max(1, Math.ceil((toMs - fromMs) / parts / bucketMs));
  const startMs = Math.floor(fromMs / stepMs) * stepMs;
  return { fromMs: startMs, stepMs, columns: Math.ceil((toMs - startMs) / stepMs) };
}

/**
 * The buckets of each series that begin within the time asked for. One that is told twice (a chunk that is still open and
 * then complete) counts once: as it was told with more in it.
 */
export function collectBuckets(
  chunks: readonly RollupColumns[],
  { fromMs, toMs, names }: { fromMs: number; toMs: number; names?: readonly string[] | undefined },
): ReadonlyMap<string, SeriesBuckets> {
  const found = new Map<string, { unit: string; buckets: Map<number, Bucket> }>();
  for (const { firstBucketAt, bucketSeconds, series } of chunks) {
    const firstMs = Date.parse(firstBucketAt);
    for (const column of series) {
      if (names !== undefined && !names.includes(column.name)) continue;
      const known = found.get(column.name) ?? { unit: column.unit, buckets: new Map<number, Bucket>() };
      found.set(column.name, known);
      for (let at = 0; at < column.count.length; at += 1) {
        const atMs = firstMs + at * bucketSeconds * 1_000;
        const bucket = bucketAt(column, at);
        if (bucket === undefined || atMs < fromMs || atMs >= toMs) continue;
        if (bucket.count >= (known.buckets.get(atMs)?.count ?? 0)) known.buckets.set(atMs, bucket);
      }
    }
  }
  return found;
}

/** Nothing, where nothing was measured or a column is shorter than it should be. */
function bucketAt(column: RollupColumns['series'][number], at: number): Bucket | undefined {
  const [count, sum, min, max, last] = [column.count, column.sum, column.min, column.max, column.last].map(
    (values) => values[at] ?? undefined,
  );
  if (!count || sum === undefined || min === undefined || max === undefined || last === undefined) return undefined;
  return { count, sum, min, max, last };
}

/** Fewer, wider columns: the smallest and the largest value of all are still there. */
export function downsample(name: string, { unit, buckets }: SeriesBuckets, frame: ChartFrame): ChartSeries {
  const sums = Array.from<Bucket | undefined>({ length: frame.columns });
  for (const [atMs, bucket] of [...buckets].sort(([a], [b]) => a - b)) {
    const column = Math.floor((atMs - frame.fromMs) / frame.stepMs);
    if (column < 0 || column >= frame.columns) continue;
    const before = sums[column];
    sums[column] = before === undefined ? bucket : joined(before, bucket);
  }
  return {
    name,
    unit,
    count: sums.map((sum) => sum?.count ?? 0),
    mean: sums.map((sum) => (sum === undefined ? null : sum.sum / sum.count)),
    min: sums.map((sum) => sum?.min ?? null),
    max: sums.map((sum) => sum?.max ?? null),
    last: sums.map((sum) => sum?.last ?? null),
  };
}

function joined(earlier: Bucket, later: Bucket): Bucket {
  return {
    count: earlier.count + later.count,
    sum: earlier.sum + later.sum,
    min: Math.min(earlier.min, later.min),
    max: Math.max(earlier.max, later.max),
    last: later.last,
  };
}
