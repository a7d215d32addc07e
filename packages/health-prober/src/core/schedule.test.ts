import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstDueMs, followingDueMs, hasRoom, isTooLate, nextDueMs, phaseMs } from './schedule.ts';

const cadence = { intervalMs: 30_000, retryMs: 5_000 };

test('a target keeps its phase: no drift, however late each probe starts', () => {
  fc.assert(
    fc.property(fc.string(), fc.array(fc.integer({ min: 0, max: 14_999 }), { maxLength: 200 }), (target, delays) => {
      let dueMs = nextDueMs(target, cadence.intervalMs, 0);
      for (const delayMs of delays) {
        expect(dueMs % cadence.intervalMs).toBe(phaseMs(target, cadence.intervalMs));
        const following = followingDueMs(target, cadence, dueMs + delayMs, false);
        expect(following).toBe(dueMs + cadence.intervalMs);
        dueMs = following;
      }
    }),
  );
});

test('the next place is after now and at most one interval away', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 3_600_000 }), fc.nat(), (target, intervalMs, afterMs) => {
      const dueMs = nextDueMs(target, intervalMs, afterMs);
      expect(dueMs).toBeGreaterThan(afterMs);
      expect(dueMs - afterMs).toBeLessThanOrEqual(intervalMs);
    }),
  );
});

test('5,000 targets spread over the interval: no second has twice its share', () => {
  const perSecond = Array.from({ length: 30 }, () => 0);
  for (let i = 0; i < 5_000; i += 1) {
    const second = Math.floor(phaseMs(`web${i % 97}/api-${i}/0`, 30_000) / 1_000);
    perSecond[second] = (perSecond[second] ?? 0) + 1;
  }
  expect(Math.max(...perSecond)).toBeLessThan((2 * 5_000) / 30);
});

describe('timetable', () => {
  test('a new target is first looked at within one retry interval', () => {
    const dueMs = firstDueMs('web1/api/0', cadence, 100_000);
    expect(dueMs).toBeGreaterThan(100_000);
    expect(dueMs).toBeLessThanOrEqual(105_000);
  });

  test('a soft failure is looked at again after the retry interval, and then the target has its place back', () => {
    expect(followingDueMs('web1/api/0', cadence, 100_000, true)).toBe(105_000);
    const back = followingDueMs('web1/api/0', cadence, 105_000, false);
    expect(back % cadence.intervalMs).toBe(phaseMs('web1/api/0', cadence.intervalMs));
  });

  test.each([
    [15_000, false],
    [15_001, true],
  ])('%i ms late is too late: %s', (lateMs, expected) => {
    expect(isTooLate(60_000, 60_000 + lateMs, cadence.intervalMs)).toBe(expected);
  });

  test.each([
    [0, 0, true],
    [9, 1, true],
    [10, 1, false],
    [9, 2, false],
  ])('with %i on their way, %i of them to this host, there is room: %s', (total, perHost, expected) => {
    expect(hasRoom({ total, perHost }, { total: 10, perHost: 2 })).toBe(expected);
  });
});
