import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { EMPTY_CAP, releaseSlot, takeSlot } from './local-cap.ts';

const MINUTE_MS = 60_000;

test('one at a time, three in ten minutes, and the window slides', () => {
  const first = takeSlot(EMPTY_CAP, 'a.0', 0);
  expect(first).toMatchObject({ isGranted: true, reason: 'recovery 1 of 3 in 10 min on this host' });
  expect(takeSlot(first.cap, 'b.0', 1_000)).toMatchObject({
    isGranted: false,
    reason: 'a.0 is being recovered, one at a time',
  });
  const second = takeSlot(releaseSlot(first.cap, 'a.0'), 'b.0', MINUTE_MS);
  const third = takeSlot(releaseSlot(second.cap, 'b.0'), 'a.0', 2 * MINUTE_MS);
  expect(third.isGranted).toBe(true);
  const spent = takeSlot(releaseSlot(third.cap, 'a.0'), 'c.0', 3 * MINUTE_MS);
  expect(spent).toMatchObject({ isGranted: false, reason: 'this host has used its 3 recoveries in 10 min' });
  expect(takeSlot(spent.cap, 'c.0', 10 * MINUTE_MS + 1).isGranted).toBe(true);
});

test('a recovery that hangs blocks nobody for ever', () => {
  const { cap } = takeSlot(EMPTY_CAP, 'a.0', 0);
  expect(takeSlot(cap, 'b.0', 2 * MINUTE_MS).isGranted).toBe(true);
});

test('never more than three grants in any ten minutes', () => {
  const moves = fc.array(
    fc.record({ holder: fc.constantFrom('a.0', 'b.0', 'c.0'), waitMs: fc.nat(5 * MINUTE_MS), release: fc.boolean() }),
  );
  fc.assert(
    fc.property(moves, (asked) => {
      let cap = EMPTY_CAP;
      let nowMs = 0;
      const grants: number[] = [];
      for (const { holder, waitMs, release } of asked) {
        nowMs += waitMs;
        const decision = takeSlot(cap, holder, nowMs);
        cap = release ? releaseSlot(decision.cap, holder) : decision.cap;
        if (decision.isGranted) grants.push(nowMs);
      }
      for (const from of grants) {
        expect(grants.filter((atMs) => atMs >= from && atMs < from + 10 * MINUTE_MS).length).toBeLessThanOrEqual(3);
      }
    }),
  );
});
