/** What was measured within one stretch of time. */
import type { Measurement } from './kept-series.ts';

/** What is known of one series within one bucket. */
export interface Stat {
  readonly unit: string;
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly last: number;
}

/** Whose series these are: a service, or the host itself. Ids are never empty, so no service can be taken for it. */
export const HOST = '';
/** `HOST`, or the name of a service. */
export type Subject = string;

/** Everything that was measured from `atMs` on, for as long as a bucket of its tier lasts. */
export interface Bucket {
  /** Wall clock, a multiple of the bucket's length. */
  readonly atMs: number;
  readonly subjects: Map<Subject, Map<string, Stat>>;
}

export function emptyBucket(atMs: number): Bucket {
  return { atMs, subjects: new Map() };
}

/** The same bucket as far as one subject goes. */
export function onlyOf({ atMs, subjects }: Bucket, subject: Subject): Bucket {
  const stats = subjects.get(subject);
  return { atMs, subjects: new Map(stats === undefined ? [] : [[subject, stats]]) };
}

export function addMeasurements(bucket: Bucket, subject: Subject, measured: readonly Measurement[]): void {
  for (const { name, unit, value } of measured) {
    if (!Number.isFinite(value)) continue;
    addStat(bucket, subject, name, { unit, count: 1, sum: value, min: value, max: value, last: value });
  }
}

/** Adds all that a bucket of the tier below holds; it is the later of the two. */
export function addBucket(bucket: Bucket, lower: Bucket): void {
  for (const [subject, stats] of lower.subjects) {
    for (const [name, stat] of stats) addStat(bucket, subject, name, stat);
  }
}

function addStat(bucket: Bucket, subject: Subject, name: string, later: Stat): void {
  let stats = bucket.subjects.get(subject);
  if (stats === undefined) {
    stats = new Map();
    bucket.subjects.set(subject, stats);
  }
  const earlier = stats.get(name);
  stats.set(name, earlier === undefined ? later : joined(earlier, later));
}

function joined(earlier: Stat, later: Stat): Stat {
  return {
    unit: later.unit,
    count: earlier.count + later.count,
    sum: earlier.sum + later.sum,
    min: Math.min(earlier.min, later.min),
    max: Math.max(earlier.max, later.max),
    last: later.last,
  };
}
