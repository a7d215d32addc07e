import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PRESENCE_LIMIT_MS } from './messages/presence.ts';
import {
  ALERT_PATIENCE,
  type Heard,
  hear,
  judgePresence,
  LOOK_EVERY_MS,
  look,
  type PresenceState,
  READER_PATIENCE,
} from './presence.ts';

const NEVER = undefined;

describe('a reader says of a sender that it is', () => {
  test.each<[PresenceState, string, number | undefined, number | undefined, number]>([
    ['heard', 'just heard', 10_000, 5_000, 10_500],
    ['heard', 'heard at the limit', 10_000, 5_000, 10_000 + PRESENCE_LIMIT_MS],
    ['silent', 'not heard for too long', 10_000, 5_000, 10_001 + PRESENCE_LIMIT_MS],
    ['blind', 'heard, but we are away', 10_000, undefined, 10_500],
    ['heard', 'heard before we were away for a moment', 10_000, 10_400, 10_500],
    ['awaited', 'heard before we were away for long', 10_000, 99_000, 100_000],
    ['awaited', 'never heard, and we have just come', NEVER, 99_000, 100_000],
    ['silent', 'never heard, and we listen for long', NEVER, 90_000, 100_000],
  ])('%s: %s', (state, _what, heardAtMs, sinceMs, nowMs) => {
    expect(judgePresence(heardAtMs, { sinceMs, nowMs }).state).toBe(state);
  });
});

describe('who wakes people says of a host that it is', () => {
  test.each<[PresenceState, string, number | undefined, number | undefined]>([
    ['heard', 'heard lately', 99_000, 0],
    ['heard', 'two heartbeats behind', 95_000, 0],
    ['silent', 'three heartbeats behind', 92_400, 0],
    ['awaited', 'never heard, and we have just come', NEVER, 91_000],
    ['silent', 'never heard, and has had its time', NEVER, 90_000],
    ['awaited', 'last heard before we lost the connection', 10_000, 98_000],
    ['blind', 'not heard while we are away', 10_000, undefined],
  ])('%s: %s', (state, _what, heardAtMs, sinceMs) => {
    expect(judgePresence(heardAtMs, { sinceMs, nowMs: 100_000 }, ALERT_PATIENCE).state).toBe(state);
  });

  test('silent within 8 s of its last heartbeat, and within 12 s of our connection', () => {
    expect(judgePresence(0, { sinceMs: -60_000, nowMs: 8_000 }, ALERT_PATIENCE)).toEqual({
      state: 'silent',
      silentForMs: 8_000,
    });
    expect(judgePresence(NEVER, { sinceMs: 0, nowMs: 12_000 }, ALERT_PATIENCE)).toEqual({
      state: 'silent',
      silentForMs: 10_000,
    });
  });
});

test('property: who is more patient is never the first to call somebody silent, and all agree on who is heard', () => {
  const instant = fc.integer({ min: 0, max: 60_000 });
  const maybe = fc.option(instant, { nil: undefined });
  fc.assert(
    fc.property(maybe, maybe, instant, (heardAgoMs, sinceAgoMs, nowMs) => {
      const at = (agoMs: number | undefined) => (agoMs === undefined ? undefined : nowMs - agoMs);
      const listening = { sinceMs: at(sinceAgoMs), nowMs };
      const reader = judgePresence(at(heardAgoMs), listening, READER_PATIENCE);
      const alerting = judgePresence(at(heardAgoMs), listening, ALERT_PATIENCE);
      expect(alerting.state !== 'silent' || reader.state === 'silent').toBe(true);
      expect(reader.state !== 'heard' || alerting.state === 'heard').toBe(true);
      expect(alerting.state === 'blind').toBe(reader.state === 'blind');
      for (const { state, silentForMs } of [reader, alerting]) expect(silentForMs > 0).toBe(state === 'silent');
    }),
  );
});

test('who has slept listens from when it woke: what was sent meanwhile it has not read yet', () => {
  const awake = look({ lookedAtMs: 10_000, awakeSinceMs: 1_000 }, 10_000 + LOOK_EVERY_MS);
  expect(awake.awakeSinceMs).toBe(1_000);
  expect(look(awake, 70_000)).toEqual({ lookedAtMs: 70_000, awakeSinceMs: 70_000 });
  expect(judgePresence(10_000, { sinceMs: look(awake, 70_000).awakeSinceMs, nowMs: 70_500 }).state).toBe('awaited');
});

/** One after the other, each with its instant. */
function heardOf(...heartbeats: readonly [atMs: number, epoch: number, seq: number][]) {
  let last: Heard<{ epoch: number; seq: number }> | undefined;
  for (const [atMs, epoch, seq] of heartbeats) last = hear(last, { epoch, seq }, atMs);
  return last;
}

test.each([
  ['the next one', heardOf([0, 1, 1], [2_000, 1, 2]), 2_000],
  ['one of the next start', heardOf([0, 1, 9], [2_000, 2, 1]), 2_000],
  ['the same one, told again', heardOf([0, 1, 1], [2_000, 1, 1]), 0],
  ['older ones, told again and again', heardOf([0, 1, 9], [9_000, 1, 5], [9_001, 1, 5], [9_002, 1, 5]), 0],
  [
    'those of a sender behind one of the far future',
    heardOf([0, 9, 1], [2_000, 1, 2], [4_000, 1, 3], [6_000, 1, 4]),
    6_000,
  ],
  [
    'those of a second sender, while the first one speaks',
    heardOf([5_000, 9, 1], [6_000, 1, 2], [7_000, 1, 3], [8_000, 1, 4]),
    5_000,
  ],
])('what confirms a sender: %s', (_what, last, heardAtMs) => {
  expect(last?.heardAtMs).toBe(heardAtMs);
});
