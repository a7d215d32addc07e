import { expect, test } from 'vitest';
import { parseDuration, parseSize } from './units.ts';

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

test.each<[number | string, number | undefined]>([
  [65_536, 65_536],
  ['65536', 65_536],
  ['512B', 512],
  ['64KiB', 65_536],
  ['64 KiB', 65_536],
  ['1.5MB', 1_500_000],
  ['1GiB', 1_073_741_824],
  ['64kb', undefined],
  ['-1', undefined],
  ['', undefined],
  ['much', undefined],
  [Number.NaN, undefined],
])('%j is %j bytes', (written, expected) => {
  expect(parseSize(written)).toBe(expected);
});
