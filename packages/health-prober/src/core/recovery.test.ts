import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Ask, askForSlot, countInstances, NO_RECOVERIES, releaseSlot, type Slot, slotLimit } from './recovery.ts';

const slotMs = 60_000;
const counts = (of: Record<string, number>) => new Map(Object.entries(of));
const ask = (host: string, service = 'api', generation = 1): Ask => ({
  host,
  instance: `${host}.${service}.0`,
  generation,
});

test.each([
  [0, 1],
  [3, 1],
  [19, 1],
  [20, 2],
  [1_000, 100],
])('a fleet of %i has %i slots', (instances, limit) => {
  expect(slotLimit(instances)).toBe(limit);
});

describe('what is counted', () => {
  const here = (host: string, instances: number, change = {}) =>
    Array.from({ length: instances }, () => ({ host, isUp: true, isConfigured: true, ...change }));

  test('of hosts that are heard, what is up and configured', () => {
    const instances = [
      ...here('web1', 3),
      ...here('web1', 5, { isUp: false }),
      ...here('web1', 7, { isConfigured: false }),
      ...here('web2', 3),
      ...here('gone', 3),
    ];
    expect(countInstances(instances, (host) => host !== 'gone')).toEqual(counts({ web1: 3, web2: 3 }));
  });

  test('a host that is alone counts in full', () => {
    expect(countInstances(here('web1', 50), () => true)).toEqual(counts({ web1: 50 }));
  });

  test('however many one host invents, it counts for no more than the largest of the others, and those as before', () => {
    const honest = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(honest, fc.nat(200), (sizes, invented) => {
        const others = sizes.flatMap((size, i) => here(`web${i}`, size));
        const largest = Math.max(...sizes);
        const with_ = (many: number) => countInstances([...others, ...here('thief', many)], () => true);
        expect(with_(invented).get('thief') ?? 0).toBeLessThanOrEqual(largest);
        const sum = (all: ReadonlyMap<string, number>) => [...all.values()].reduce((a, b) => a + b, 0);
        expect(sum(with_(invented))).toBeLessThanOrEqual(sum(with_(largest)));
      }),
    );
  });
});

test('no grant exceeds the tenth of the fleet or of its host, whoever asks, in whatever order', () => {
  const fleet = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(60));
  const step = fc.record({
    host: fc.constantFrom('a', 'b', 'c', 'd'),
    service: fc.nat({ max: 12 }).map(String),
    generation: fc.nat({ max: 5 }),
    waitMs: fc.nat(30_000),
    isReleased: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fleet, (steps, of) => {
      let recoveries = NO_RECOVERIES;
      let nowMs = 0;
      for (const { host, service, generation, waitMs, isReleased } of steps) {
        nowMs += waitMs;
        const asked = ask(host, service, generation);
        const before = recoveries.slots.filter(({ deadlineMs }) => deadlineMs > nowMs);
        const grant = askForSlot(recoveries, asked, { nowMs, counts: counts(of), slotMs });
        recoveries = grant.recoveries;
        const { slots, waiting } = recoveries;
        const isHeld = ({ instance }: Slot) => instance === asked.instance;
        expect(slots.some(isHeld)).toBe(grant.granted);
        expect(slots.length).toBeLessThanOrEqual(slotLimit(Object.values(of).reduce((a, b) => a + b, 0)));
        expect(slots.filter((slot) => slot.host === host).length).toBeLessThanOrEqual(slotLimit(of[host] ?? 0));
        expect(new Set(slots.map(({ instance }) => instance)).size).toBe(slots.length);
        expect(new Set(waiting.map((each) => each.host)).size).toBe(waiting.length);
        // Nobody keeps a slot by asking for it again.
        const deadlineMs = before.find(isHeld)?.deadlineMs ?? nowMs + slotMs;
        expect(slots.find(isHeld)?.deadlineMs).toBe(grant.granted ? deadlineMs : undefined);
        expect(grant.leftMs).toBe(grant.granted ? deadlineMs - nowMs : 0);
        if (isReleased) recoveries = releaseSlot(recoveries, asked.instance, generation + 1);
      }
      const late = askForSlot(recoveries, ask('e'), { nowMs: nowMs + 2 * slotMs, counts: counts(of), slotMs });
      expect(late.recoveries.slots).toHaveLength(1);
    }),
  );
});

test('a host gets its turn, whatever a thief with the keys of another one asks', () => {
  const thiefs = fc.record({
    service: fc.nat({ max: 50 }).map(String),
    generation: fc.nat({ max: 5 }),
    isReleased: fc.boolean(),
  });
  fc.assert(
    // Small enough for one slot in all: there is nothing to share out.
    fc.property(fc.array(thiefs, { minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 4 }), (asks, size) => {
      const context = { counts: counts({ thief: size, honest: size }), slotMs };
      let recoveries = NO_RECOVERIES;
      const seconds = 1_000;
      let grantedAtMs = Number.POSITIVE_INFINITY;
      for (let nowMs = 0; nowMs <= 200 * seconds && grantedAtMs > nowMs; nowMs += seconds) {
        const asked = asks[(nowMs / seconds) % asks.length];
        if (asked === undefined) break;
        const { service, generation, isReleased } = asked;
        const stolen = askForSlot(recoveries, ask('thief', service, generation), { ...context, nowMs });
        recoveries = stolen.recoveries;
        if (isReleased) recoveries = releaseSlot(recoveries, `thief.${service}.0`, Number.POSITIVE_INFINITY);
        if (nowMs % (10 * seconds) !== 0) continue;
        const grant = askForSlot(recoveries, ask('honest'), { ...context, nowMs });
        recoveries = grant.recoveries;
        if (grant.granted) grantedAtMs = nowMs;
      }
      // The slot that the thief held when it was first asked, and the next question.
      expect(grantedAtMs).toBeLessThanOrEqual(slotMs + 10 * seconds);
    }),
  );
});

test('the story of two sick hosts in a small fleet', () => {
  const context = { nowMs: 0, counts: counts({ web1: 3, web2: 2 }), slotMs };
  const first = askForSlot(NO_RECOVERIES, ask('web1', 'api', 3), context);
  expect(first).toMatchObject({ granted: true, reason: 'recovery slot 1 of 1 for a fleet of 5', leftMs: slotMs });
  const second = askForSlot(first.recoveries, ask('web2', 'api', 7), context);
  expect(second).toMatchObject({ granted: false, reason: 'all recovery slots are taken (1 of 1 for a fleet of 5)' });
  // Still the same run: the slot is kept. A newer one that is well gives it back.
  expect(releaseSlot(second.recoveries, 'web1.api.0', 3).slots).toHaveLength(1);
  const released = releaseSlot(second.recoveries, 'web1.api.0', 4);
  expect(released.slots).toHaveLength(0);
  // The one that waits is next, not the one that asks first.
  const again = askForSlot(released, ask('web1', 'web'), context);
  expect(again).toMatchObject({
    granted: false,
    reason: expect.stringContaining('hosts that asked before come first'),
  });
  expect(askForSlot(again.recoveries, ask('web2', 'api', 7), context).granted).toBe(true);
  // A slot whose run never came back is free after its deadline.
  const late = { ...context, nowMs: slotMs };
  expect(askForSlot(first.recoveries, ask('web2', 'api', 7), late).granted).toBe(true);
});

test('one of two hosts holds its own share of the slots, and no more', () => {
  const context = { nowMs: 0, counts: counts({ web1: 20, web2: 20 }), slotMs };
  let { recoveries } = askForSlot(NO_RECOVERIES, ask('web1', 'a'), context);
  ({ recoveries } = askForSlot(recoveries, ask('web1', 'b'), context));
  const third = askForSlot(recoveries, ask('web1', 'c'), context);
  expect(third).toMatchObject({ granted: false, reason: 'all recovery slots of its host are taken (2 of 2)' });
  expect(askForSlot(third.recoveries, ask('web2'), context).granted).toBe(true);
});
