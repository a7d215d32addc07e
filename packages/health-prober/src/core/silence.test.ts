import { expect, test } from 'vitest';
import { silentForMs } from './silence.ts';

test.each([
  ['beats', { lastBeatMs: 99_000, sinceMs: 0, nowMs: 100_000 }, false],
  ['has missed two beats', { lastBeatMs: 95_000, sinceMs: 0, nowMs: 100_000 }, false],
  ['has missed three beats', { lastBeatMs: 92_400, sinceMs: 0, nowMs: 100_000 }, true],
  [
    'was never heard, by an observer that has just connected',
    { lastBeatMs: undefined, sinceMs: 91_000, nowMs: 100_000 },
    false,
  ],
  ['was never heard, and has had its time', { lastBeatMs: undefined, sinceMs: 90_000, nowMs: 100_000 }, true],
  [
    'was last heard before the observer lost its connection',
    { lastBeatMs: 10_000, sinceMs: 98_000, nowMs: 100_000 },
    false,
  ],
  [
    'is not heard by an observer that is away itself',
    { lastBeatMs: 10_000, sinceMs: undefined, nowMs: 100_000 },
    false,
  ],
])('a host that %s', (_, { lastBeatMs, ...listening }, isGone) => {
  expect(silentForMs(lastBeatMs, listening) > 0).toBe(isGone);
});

test('a dead host is noticed within 12 s of its last beat, and of the observer’s connection', () => {
  expect(silentForMs(0, { sinceMs: -60_000, nowMs: 12_000 })).toBeGreaterThan(0);
  expect(silentForMs(undefined, { sinceMs: 0, nowMs: 12_000 })).toBeGreaterThan(0);
});
