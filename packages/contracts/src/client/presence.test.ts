import { expect, test } from 'vitest';
import { PRESENCE_LIMIT_MS } from '../messages/presence.ts';
import { hear, presenceOf } from './presence.ts';

const beat = { time: '2026-03-01T12:00:00.000Z' };
const heard = { beat, heardAtMs: 10_000, clockSkewMs: 0 };

test.each([
  ['just heard', heard, 5_000, 10_500, { isHeard: true, ageMs: 500, silentForMs: 500 }],
  ['heard at the limit', heard, 5_000, 10_000 + PRESENCE_LIMIT_MS, { isHeard: true }],
  [
    'not heard for too long',
    heard,
    5_000,
    10_001 + PRESENCE_LIMIT_MS,
    { isHeard: false, silentForMs: PRESENCE_LIMIT_MS + 1 },
  ],
  ['we are away', heard, undefined, 10_500, { isHeard: false, ageMs: 500 }],
  ['we are back after a long time', heard, 99_000, 100_000, { isHeard: false, ageMs: 90_000, silentForMs: 1_000 }],
  ['never heard', undefined, 99_000, 100_000, { isHeard: false, silentForMs: 1_000 }],
])('%s', (_name, last, connectedSinceMs, nowMs, expected) => {
  expect(presenceOf(last, connectedSinceMs, nowMs)).toMatchObject(expected);
});

test('while we are away nobody is silent', () => {
  expect(presenceOf(heard, undefined, 999_999)).not.toHaveProperty('silentForMs');
});

test('the skew of a clock is that of the fastest beat, follows a clock that is set, and forgets slowly', () => {
  const wallMs = Date.parse(beat.time);
  const after = (delays: readonly number[], aheadMs: number) =>
    delays.reduce<ReturnType<typeof hear> | undefined>(
      (before, delayMs) => hear(before, beat, { nowMs: 0, wallMs: wallMs - aheadMs + delayMs }),
      undefined,
    )?.clockSkewMs;
  expect(after([40, 3, 200], 90_000)).toBe(90_000 - 4);
  expect(after([3], -250)).toBe(-253);
  const before = hear(undefined, beat, { nowMs: 0, wallMs });
  expect(hear(before, beat, { nowMs: 0, wallMs: wallMs + 60_000 }).clockSkewMs).toBe(-60_000);
});
