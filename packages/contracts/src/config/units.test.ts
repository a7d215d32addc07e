import { expect, test } from 'vitest';
import { parseDuration } from './units.ts';

test.each<[number | string, number | undefined]>([
  [30, 30_000],
  [0.25, 250],
  ['30', 30_000],
  ['250ms', 250],
  ['30s', 30_000],
  ['1m30s', 90_000],
  ['2h', 7_200_000],
  ['24d', 2_073_600_000],
  ['25d', undefined],
  [-1, undefined],
  ['', undefined],
  ['5 parsecs', undefined],
  ['s', undefined],
  [Number.NaN, undefined],
])('%j is %j ms', (written, expected) => {
  expect(parseDuration(written)).toBe(expected);
});
