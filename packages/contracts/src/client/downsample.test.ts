import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RollupColumns } from '../messages/metrics.ts';
import { collectBuckets, downsample, frameOf } from './downsample.ts';

const seed = Number(process.env['MUSTER_SEED'] ?? Date.now() % 1_000_000_007);
console.log(`downsample: MUSTER_SEED=${seed}`);

const MINUTE_MS = 60_000;
const START_MS = Date.parse('2026-03-01T00:00:00.000Z');

/** A chunk of one series; null where nothing was measured. */
function chunk(firstMinute: number, values: readonly (number | null)[]): RollupColumns {
  const numbers = [...values];
  return {
    tier: '1m',
    firstBucketAt: new Date(START_MS + firstMinute * MINUTE_MS).toISOString(),
    bucketSeconds: 60,
    series: [
      {
        name: 'cpu',
        unit: 'ratio',
        count: values.map((value) => (value === null ? 0 : 2)),
        sum: values.map((value) => (value === null ? null : value * 2)),
        min: numbers,
        max: numbers,
        last: numbers,
      },
    ],
  };
}

const values = fc.array(fc.option(fc.integer({ min: -1_000, max: 1_000 }), { freq: 4 }), { maxLength: 400 });
const width = fc.integer({ min: 2, max: 200 });

function draw(all: readonly (number | null)[], columns: number) {
  const toMs = START_MS + Math.max(1, all.length) * MINUTE_MS;
  const found = collectBuckets([chunk(0, all)], { fromMs: START_MS, toMs });
  const frame = frameOf(START_MS, toMs, columns, MINUTE_MS);
  const series = found.get('cpu');
  return { frame, chart: series && downsample('cpu', series, frame) };
}

test('however few columns: the smallest and largest value, and how often was looked, are all still there', () => {
  fc.assert(
    fc.property(values, width, (all, columns) => {
      const { frame, chart } = draw(all, columns);
      const measured = all.filter((value) => value !== null);
      expect(frame.columns).toBeLessThanOrEqual(columns);
      const known = (column: readonly (number | null)[] = []) => column.filter((value) => value !== null);
      expect(Math.min(...known(chart?.min))).toBe(Math.min(...measured));
      expect(Math.max(...known(chart?.max))).toBe(Math.max(...measured));
      expect((chart?.count ?? []).reduce((sum, count) => sum + count, 0)).toBe(2 * measured.length);
      for (const [at, mean] of (chart?.mean ?? []).entries()) {
        if (mean === null) continue;
        expect(mean).toBeGreaterThanOrEqual((chart?.min[at] ?? 0) - 1e-9);
        expect(mean).toBeLessThanOrEqual((chart?.max[at] ?? 0) + 1e-9);
      }
    }),
    { seed },
  );
});

test('a column in which nothing was measured is a gap', () => {
  fc.assert(
    fc.property(values, width, (all, columns) => {
      const { frame, chart } = draw(all, columns);
      for (let column = 0; column < frame.columns; column += 1) {
        const fromMinute = (frame.fromMs - START_MS + column * frame.stepMs) / MINUTE_MS;
        const slice = all.slice(Math.max(0, fromMinute), Math.max(0, fromMinute + frame.stepMs / MINUTE_MS));
        const isGap = slice.every((value) => value === null);
        expect((chart?.mean[column] ?? null) === null, `column ${column}`).toBe(isGap);
      }
    }),
    { seed },
  );
});

test('a frame covers its time in whole buckets, in no more columns than asked for', () => {
  fc.assert(
    fc.property(fc.nat(10_000_000), fc.integer({ min: 1, max: 90_000_000 }), width, (offsetMs, lengthMs, columns) => {
      const [fromMs, toMs] = [START_MS + offsetMs, START_MS + offsetMs + lengthMs];
      const frame = frameOf(fromMs, toMs, columns, MINUTE_MS);
      expect(frame.fromMs).toBeLessThanOrEqual(fromMs);
      expect(frame.stepMs % MINUTE_MS).toBe(0);
      expect(frame.fromMs + frame.columns * frame.stepMs).toBeGreaterThanOrEqual(toMs);
      expect(frame.columns).toBeLessThanOrEqual(columns);
    }),
    { seed },
  );
});

test('a bucket that is told twice counts once, as it was told with more in it', () => {
  const fuller = chunk(0, [5, 7]);
  const partial = { ...fuller, series: fuller.series.map((one) => ({ ...one, count: [2, 1], last: [5, 6] })) };
  for (const chunks of [
    [fuller, partial],
    [partial, fuller],
  ]) {
    const found = collectBuckets(chunks, { fromMs: START_MS, toMs: START_MS + 2 * MINUTE_MS });
    expect([...(found.get('cpu')?.buckets.values() ?? [])].map(({ last }) => last)).toEqual([5, 7]);
  }
});

test('columns that are shorter than they should be are gaps, not errors', () => {
  const { series, ...rest } = chunk(0, [5, 7]);
  const cut = { ...rest, series: series.map((one) => ({ ...one, max: [5] })) };
  const found = collectBuckets([cut], { fromMs: START_MS, toMs: START_MS + 2 * MINUTE_MS, names: ['cpu'] });
  expect([...(found.get('cpu')?.buckets.keys() ?? [])]).toEqual([START_MS]);
});
