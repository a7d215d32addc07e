import { expect, test } from 'vitest';
import { PRESENCE_LIMIT_MS } from '../messages/presence.ts';
import { hear, presenceOf } from './presence.ts';

const heartbeat = { time: '2026-03-01T12:00:00.000Z' };
const heard = { heartbeat, heardAtMs: 10_000, skewsMs: [0] };

test.each([
  ['just heard', heard, 5_000, 10_500, { isAlive: true, ageMs: 500, silentForMs: 500 }],
  ['heard at the limit', heard, 5_000, 10_000 + PRESENCE_LIMIT_MS, { isAlive: true }],
  [
    'not heard for too long',
    heard,
    5_000,
    10_001 + PRESENCE_LIMIT_MS,
    { isAlive: false, silentForMs: PRESENCE_LIMIT_MS + 1 },
  ],
  ['we are away', heard, undefined, 10_500, { isAlive: false, ageMs: 500 }],
  ['we are back after a long time', heard, 99_000, 100_000, { isAlive: false, ageMs: 90_000, silentForMs: 1_000 }],
  ['never heard', undefined, 99_000, 100_000, { isAlive: false, silentForMs: 1_000 }],
])('%s', (_name, last, connectedSinceMs, nowMs, expected) => {
  expect(presenceOf(last, connectedSinceMs, nowMs)).toMatchObject(expected);
});

test('while we are away nobody is silent', () => {
  expect(presenceOf(heard, undefined, 999_999)).not.toHaveProperty('silentForMs');
});

test.each([
  ['the heartbeat that was least late', [40, 3, 200], 90_000, 89_997],
  ['a clock behind ours', [3], -250, -253],
  ['heartbeats that were held up for seconds', [3, 6_000, 4_000, 2_000], 0, -3],
  ['a clock that was set back, after a while', [0, ...Array.from({ length: 8 }, () => 60_000)], 0, -60_000],
])('the skew is told by %s', (_what, delaysMs, aheadMs, skewMs) => {
  let last: ReturnType<typeof hear<typeof heartbeat>> | undefined;
  const wallMs = Date.parse(heartbeat.time);
  for (const delayMs of delaysMs) last = hear(last, heartbeat, { nowMs: 0, wallMs: wallMs - aheadMs + delayMs });
  expect(presenceOf(last, 0, 0).clockSkewMs).toBe(skewMs);
});
