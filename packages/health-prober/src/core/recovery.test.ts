import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { askForSlot, releaseSlot, type Slot, slotLimit } from './recovery.ts';

const slotMs = 60_000;

test.each([
  [0, 1],
  [3, 1],
  [19, 1],
  [20, 2],
  [1_000, 100],
])('a fleet of %i has %i slots', (instances, limit) => {
  expect(slotLimit(instances)).toBe(limit);
});

test('never more slots than the limit, whoever asks, in whatever order', () => {
  const ask = fc.record({
    instance: fc.nat({ max: 40 }).map(String),
    generation: fc.nat({ max: 5 }),
    waitMs: fc.nat(30_000),
  });
  fc.assert(
    fc.property(fc.array(ask), fc.nat({ max: 60 }), (asks, instances) => {
      let slots: readonly Slot[] = [];
      let nowMs = 0;
      for (const { instance, generation, waitMs } of asks) {
        nowMs += waitMs;
        const grant = askForSlot(slots, { instance, generation }, { nowMs, instances, slotMs });
        slots = grant.slots;
        expect(slots.length).toBeLessThanOrEqual(slotLimit(instances));
        expect(new Set(slots.map((slot) => slot.instance)).size).toBe(slots.length);
        expect(slots.some((slot) => slot.instance === instance)).toBe(grant.granted);
      }
    }),
  );
});

test('the story of two sick instances in a small fleet', () => {
  const context = { nowMs: 0, instances: 5, slotMs };
  const first = askForSlot([], { instance: 'web1/api/0', generation: 3 }, context);
  expect(first).toMatchObject({ granted: true, reason: 'recovery slot 1 of 1 for a fleet of 5' });
  const second = askForSlot(first.slots, { instance: 'web2/api/0', generation: 7 }, context);
  expect(second).toMatchObject({ granted: false, reason: 'all recovery slots are taken (1 of 1 for a fleet of 5)' });
  // Still the same run: the slot is kept. A newer one that is well gives it back.
  expect(releaseSlot(second.slots, 'web1/api/0', 3)).toHaveLength(1);
  const released = releaseSlot(second.slots, 'web1/api/0', 4);
  expect(released).toHaveLength(0);
  expect(askForSlot(released, { instance: 'web2/api/0', generation: 7 }, context).granted).toBe(true);
  // A slot whose run never came back is free after its deadline.
  const late = { ...context, nowMs: slotMs };
  expect(askForSlot(first.slots, { instance: 'web2/api/0', generation: 7 }, late).granted).toBe(true);
});
