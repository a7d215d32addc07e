import { expect, test } from 'vitest';
import { silentForMs } from './silence.ts';

test.each([
  ['heartbeats', { lastHeartbeatMs: 99_000, sinceMs: 0, nowMs: 100_000 }, false],
  ['has missed two heartbeats', { lastHeartbeatMs: 95_000, sinceMs: 0, nowMs: 100_000 }, false],
  ['has missed three heartbeats', { lastHeartbeatMs: 92_400, sinceMs: 0, nowMs: 100_000 }, true],
  [
    'was never heard, by an observer that has just connected',
    { lastHeartbeatMs: undefined, sinceMs: 91_000, nowMs: 100_000 },
    false,
  ],
  ['was never heard, and has had its time', { lastHeartbeatMs: undefined, sinceMs: 90_000, nowMs: 100_000 }, true],
  [
    'was last heard before the observer lost its connection',
    { lastHeartbeatMs: 10_000, sinceMs: 98_000, nowMs: 100_000 },
    false,
  ],
  [
    'is not heard by an observer that is away itself',
    { lastHeartbeatMs: 10_000, sinceMs: undefined, nowMs: 100_000 },
    false,
  ],
])('a host that %s', (_, { lastHeartbeatMs, ...listening }, isGone) => {
  expect(silentForMs(lastHeartbeatMs, listening) > 0).toBe(isGone);
});

test('a dead host is noticed within 12 s of its last heartbeat, and of the observer’s connection', () => {
  expect(silentForMs(0, { sinceMs: -60_000, nowMs: 12_000 })).toBeGreaterThan(0);
  expect(silentForMs(undefined, { sinceMs: 0, nowMs: 12_000 })).toBeGreaterThan(0);
});
