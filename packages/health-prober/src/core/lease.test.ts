import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isFree, isHeld, LEASE_LAPSE_MS, type Sighting, sight } from './lease.ts';

test('a lease that changes is never free, one that does not is free after its lapse', () => {
  let sighting: Sighting | undefined;
  for (let nowMs = 0; nowMs < 60_000; nowMs += 2_500) {
    sighting = sight(sighting, { holder: 'a', revision: nowMs }, nowMs, true);
    expect(isFree(sighting, 'b', nowMs)).toBe(false);
  }
  const last = sight(undefined, { holder: 'a', revision: 1 }, 0, true);
  expect(isFree(sight(last, { holder: 'a', revision: 1 }, 9_999, true), 'b', 9_999)).toBe(false);
  expect(isFree(sight(last, { holder: 'a', revision: 1 }, 10_000, true), 'b', 10_000)).toBe(true);
});

test('an observer that could not look counts from its next look', () => {
  const before = sight(undefined, { holder: 'a', revision: 1 }, 0, true);
  const after = sight(before, { holder: 'a', revision: 1 }, 30_000, false);
  expect(isFree(after, 'b', 30_000)).toBe(false);
});

test('its own lease of an earlier life is taken at once', () => {
  expect(isFree(sight(undefined, { holder: 'a', revision: 1 }, 0, true), 'a', 0)).toBe(true);
});

test('the holder has laid it down before anybody may take it', () => {
  fc.assert(
    fc.property(fc.nat(60_000), fc.nat(60_000), (renewedAtMs, laterMs) => {
      const nowMs = renewedAtMs + laterMs;
      // The observer sees a renewal no earlier than it was sent.
      const seen = { holder: 'a', revision: 1, sinceMs: renewedAtMs };
      expect(isHeld(renewedAtMs, nowMs) && isFree(seen, 'b', nowMs)).toBe(false);
      expect(nowMs - renewedAtMs < LEASE_LAPSE_MS || isFree(seen, 'b', nowMs)).toBe(true);
    }),
  );
});
