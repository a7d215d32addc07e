import { expect, test } from 'vitest';
import { refill } from './allowance.ts';

const spec = { ship: true, rateBytesPerSecond: 100, burstBytes: 1_000 };

test('it fills with the rate, up to the burst once all is read', () => {
  expect(refill({ bytes: 0, atMs: 0 }, spec, true, 2_000)).toEqual({ bytes: 200, atMs: 2_000 });
  expect(refill({ bytes: 0, atMs: 0 }, spec, true, 60_000)).toEqual({ bytes: 1_000, atMs: 60_000 });
});

test('while lines wait it fills without a limit', () => {
  expect(refill({ bytes: 0, atMs: 0 }, spec, false, 60_000)).toEqual({ bytes: 6_000, atMs: 60_000 });
});

test('a clock that stands still gives nothing', () => {
  expect(refill({ bytes: 5, atMs: 10 }, spec, true, 10)).toEqual({ bytes: 5, atMs: 10 });
});
