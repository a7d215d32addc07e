import { streamName } from '@muster/contracts';
import type { IdentityLoad, SenderWrites } from '@muster/contracts/admin';
import { expect, test } from 'vitest';
import { FLOOD_LIMITS } from './flood-limits.ts';
import { FloodWatch } from './flood-watch.ts';

const MIB = 1024 * 1024;
const LOOK_MS = 1_000;
const [EVENTS, LOGS, STATUS] = [streamName('test', 'events'), streamName('test', 'logs'), 'KV_muster_test_status'];

function load(fields: Partial<IdentityLoad>): IdentityLoad {
  return { identity: 'agent/web1', key: 'UABC', messages: 0, bytes: 0, open: 1, opened: 0, ...fields };
}

function written(stream: string, bytes: number, identity = 'agent/web1'): SenderWrites {
  return { stream, identity, bytes, messages: bytes / 20_000 };
}

/** So many looks, in each of which so much came. */
function watch(looks: number, loadOf: (look: number) => Partial<IdentityLoad>, writes: Record<string, number> = {}) {
  const flood = new FloodWatch('test', FLOOD_LIMITS, true);
  for (let look = 0; look < looks; look += 1) {
    const nowMs = look * LOOK_MS;
    const { identity = 'agent/web1' } = loadOf(look);
    const stored = Object.entries(writes).map(([stream, bytes]) => written(stream, bytes, identity));
    const found = [...flood.chargeConnections([load(loadOf(look))], nowMs), ...flood.chargeStore(stored, nowMs)];
    if (found.length > 0) return { afterMs: nowMs, ...found[0] };
  }
  return undefined;
}

test.each<[string, number, (look: number) => Partial<IdentityLoad>, Record<string, number>?]>([
  [
    'works for a day',
    86_400,
    () => ({ messages: 50, bytes: 20_000 }),
    { [EVENTS]: 2_000, [STATUS]: 4_000, [LOGS]: 14_000 },
  ],
  [
    'has 100 services that print all they may',
    3_600,
    () => ({ messages: 200, bytes: 100 * 64 * 1024 }),
    { [LOGS]: 6.25 * MIB },
  ],
  // 64 MiB of events in five seconds, and of each of 100 services a burst of logs.
  [
    'comes back after an outage',
    600,
    (look) => (look < 5 ? { messages: 20_000, bytes: 18 * MIB } : { messages: 200, bytes: 100 * 64 * 1024 }),
  ],
  ['brings all that waited in no time', 1, () => ({ messages: 110_000, bytes: 89 * MIB })],
  ['starts all it may have, and each prints each second', 60, () => ({ messages: 2_500, bytes: 2 * MIB })],
  ['loses its connection each second', 200, () => ({ opened: 1, open: 1 })],
])('a host that %s is not cut off', (_, looks, loadOf, writes) => {
  expect(watch(looks, loadOf, writes)).toBeUndefined();
});

test('events that waited during an outage are none too many for their stream', () => {
  const flood = new FloodWatch('test', FLOOD_LIMITS, true);
  expect(flood.chargeStore([written(EVENTS, 64 * MIB)], 0)).toEqual([]);
  expect(flood.isCalm(0)).toBe(false);
  expect(flood.isCalm(3_600_000)).toBe(true);
});

test.each<[string, number, (look: number) => Partial<IdentityLoad>, Record<string, number>?]>([
  ['bytes at full speed', 10_000, () => ({ messages: 3_000, bytes: 35 * MIB })],
  ['small messages at full speed', 10_000, () => ({ messages: 80_000, bytes: 8 * MIB })],
  ['connections in a row', 10_000, () => ({ opened: 50 })],
  ['connections at once', 0, () => ({ open: 33 })],
  ['small messages, as fast as no agent does for ever', 240_000, () => ({ messages: 1_700, bytes: MIB })],
  ['small messages of a monitor', 120_000, () => ({ identity: 'monitor/sonde', messages: 150, bytes: 30_000 })],
  ['questions of an observer', 120_000, () => ({ identity: 'observer/pager', messages: 150, bytes: 30_000 })],
  [
    'stored series of a monitor',
    240_000,
    () => ({ identity: 'monitor/sonde', messages: 2, bytes: 200_000 }),
    { [EVENTS]: 200_000 },
  ],
  [
    'long subjects, which count for no connection',
    120_000,
    () => ({ messages: 100, bytes: 200 }),
    { [EVENTS]: 2 * MIB },
  ],
  ['invented subjects, slowly enough for its connection', 120_000, () => ({ bytes: 2 * MIB }), { [EVENTS]: 2 * MIB }],
])('a thief with %s is found', (_, withinMs, loadOf, writes) => {
  const found = watch(1_000, loadOf, writes);
  const { identity = 'agent/web1' } = loadOf(0);
  expect(found).toMatchObject({ identity, why: expect.stringMatching(/^it has /), isProven: true });
  expect(found?.afterMs).toBeLessThanOrEqual(withinMs);
});

test('who has brought nothing of what was stored in its name is told of, and not proven', () => {
  const found = watch(200, () => ({ messages: 5, bytes: 5_000 }), { [EVENTS]: 2 * MIB });
  expect(found).toMatchObject({
    identity: 'agent/web1',
    why: expect.stringMatching(/^it seems to have /),
    isProven: false,
  });
});

test('one draw is chance, however much it says', () => {
  const flood = new FloodWatch('test', FLOOD_LIMITS, true);
  expect(flood.chargeConnections([load({ bytes: 100 * MIB })], 0)).toEqual([]);
  const found = [0, 1, 2, 3, 4].map((look) => flood.chargeStore(look === 0 ? [written(EVENTS, 500 * MIB)] : [], look));
  expect(found.flat()).toEqual([]);
});

test('what was brought before it began, or by another, bears out nothing', () => {
  const flood = new FloodWatch('test', FLOOD_LIMITS, true);
  flood.chargeConnections([load({ bytes: 100 * MIB, messages: 100_000 })], 0);
  flood.chargeStore([], 0);
  const found = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((look) => {
    flood.chargeConnections([load({ identity: 'agent/web2', bytes: 10 * MIB })], look);
    return flood.chargeStore([written(EVENTS, 50 * MIB)], look);
  });
  expect(found.length).toBeGreaterThan(0);
  expect(found.every(({ identity, isProven }) => identity === 'agent/web1' && !isProven)).toBe(true);
});

test('one that was dealt with begins anew, and nobody else does', () => {
  const flood = new FloodWatch('test', FLOOD_LIMITS, true);
  const both = [load({ bytes: 150 * MIB }), load({ identity: 'agent/db1', bytes: 100 * MIB })];
  expect(flood.chargeConnections(both, 0).map(({ identity }) => identity)).toEqual(['agent/web1']);
  flood.forget('agent/web1');
  const more = [load({ bytes: 50 * MIB }), load({ identity: 'agent/db1', bytes: 50 * MIB })];
  expect(flood.chargeConnections(more, 0).map(({ identity }) => identity)).toEqual(['agent/db1']);
});
