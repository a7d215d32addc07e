import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { mean, median, percentile } from './statistics.ts';

test('nearest rank', () => {
  const values = [5, 1, 4, 2, 3];
  expect(percentile(values, 0)).toBe(1);
  expect(median(values)).toBe(3);
  expect(percentile(values, 0.95)).toBe(5);
  expect(percentile([1, 2], 0.5)).toBe(1);
  expect(mean(values)).toBe(3);
  expect(() => percentile([], 0.5)).toThrow('cannot take a percentile of no values');
});

test('at least the share of the values lies at or below it, and it is one of them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: true }), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const value = percentile(values, share);
        expect(values).toContain(value);
        expect(values.filter((one) => one <= value).length).toBeGreaterThanOrEqual(Math.floor(share * values.length));
      },
    ),
  );
});
