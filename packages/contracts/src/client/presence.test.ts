import { expect, test } from 'vitest';
import type { AgentPresence } from '../messages/presence.ts';
import { PRESENCE_LIMIT_MS, presenceOf } from './presence.ts';

const beat = { host: 'web1' } as AgentPresence;
const heard = { beat, heardAtMs: 10_000 };

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
  expect(presenceOf('web1', last, connectedSinceMs, nowMs)).toMatchObject(expected);
});

test('while we are away nobody is silent', () => {
  expect(presenceOf('web1', heard, undefined, 999_999)).not.toHaveProperty('silentForMs');
});
