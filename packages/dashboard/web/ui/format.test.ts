import { expect, test } from 'vitest';
import { formatBytes, formatDuration, formatLatency, formatRatio } from './format.ts';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test.each([
  [-5, '0 s'],
  [999, '0 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [192_000, '3 min 12 s'],
  [7_500_000, '2 h 5 min'],
  [86_400_000, '1 d'],
  [273_600_000, '3 d 4 h'],
])('%i ms is %s', (ms, text) => {
  expect(plain(formatDuration(ms))).toBe(text);
});

test.each([
  [0, '0 B'],
  [1_023, '1023 B'],
  [1_536, '1.5 KiB'],
  [88_080_384, '84 MiB'],
  [1.2 * 1024 ** 3, '1.2 GiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(plain(formatBytes(bytes))).toBe(text);
});

test('ratios and latencies keep two digits or three', () => {
  expect([0.004, 0.37, 1.5].map(formatRatio).map(plain)).toEqual(['0.4 %', '37 %', '150 %']);
  expect([0.83, 24.4, 1_300].map(formatLatency).map(plain)).toEqual(['0.8 ms', '24 ms', '1.3 s']);
});
