import { streamName } from '@muster/contracts';
import type { IdentityLoad } from '@muster/contracts/bus';
import { expect, test } from 'vitest';
import { FLOOD_LIMITS } from './flood-limits.ts';
import { FloodWatch } from './flood-watch.ts';

const MIB = 1024 * 1024;
const LOOK_MS = 1_000;
const [EVENTS, LOGS, STATUS] = [streamName('test', 'events'), streamName('test', 'logs'), 'KV_muster_test_status'];

function load(fields: Partial<IdentityLoad>): IdentityLoad {
  return { identity: 'agent/web1', key: 'UABC', messages: 0, bytes: 0, open: 1, opened: 0, ...fields };
}

/** So many looks, in each of which so much came. */
function watch(looks: number, loadOf: (look: number) => Partial<IdentityLoad>, writes: Record<string, number> = {}) {
  const flood = new FloodWatch('test', FLOOD_LIMITS);
  for (let look = 0; look < looks; look += 1) {
    const stored = Object.entries(writes).map(([stream, bytes]) => ({ stream, host: 'web1', bytes }));
    const found = flood.charge([load(loadOf(look))], stored, look * LOOK_MS);
    if (found.length > 0) return { afterMs: look * LOOK_MS, ...found[0] };
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
  ['loses its connection each second', 200, () => ({ opened: 1, open: 1 })],
])('a host that %s is not cut off', (_, looks, loadOf, writes) => {
  expect(watch(looks, loadOf, writes)).toBeUndefined();
});

test('events that waited during an outage are none too many for their stream', () => {
  const flood = new FloodWatch('test', FLOOD_LIMITS);
  const writes = [{ stream: EVENTS, host: 'web1', bytes: 64 * MIB }];
  expect(flood.charge([], writes, 0)).toEqual([]);
  expect(flood.isCalm(0)).toBe(false);
  expect(flood.isCalm(3_600_000)).toBe(true);
});

test.each<[string, number, (look: number) => Partial<IdentityLoad>, Record<string, number>?]>([
  ['bytes at full speed', 10_000, () => ({ messages: 3_000, bytes: 35 * MIB })],
  ['small messages at full speed', 10_000, () => ({ messages: 80_000, bytes: 8 * MIB })],
  ['connections in a row', 10_000, () => ({ opened: 50 })],
  ['connections at once', 0, () => ({ open: 33 })],
  ['invented subjects, slowly enough for its connection', 120_000, () => ({ bytes: 2 * MIB }), { [EVENTS]: 2 * MIB }],
])('a thief with %s is found', (_, withinMs, loadOf, writes) => {
  const found = watch(1_000, loadOf, writes);
  expect(found).toMatchObject({ identity: 'agent/web1', why: expect.stringMatching(/^it has /) });
  expect(found?.afterMs).toBeLessThanOrEqual(withinMs);
});

test('one that was dealt with begins anew, and nobody else does', () => {
  const flood = new FloodWatch('test', FLOOD_LIMITS);
  const both = [load({ bytes: 150 * MIB }), load({ identity: 'agent/db1', bytes: 100 * MIB })];
  expect(flood.charge(both, [], 0).map(({ identity }) => identity)).toEqual(['agent/web1']);
  flood.forget('agent/web1');
  const more = [load({ bytes: 50 * MIB }), load({ identity: 'agent/db1', bytes: 50 * MIB })];
  expect(flood.charge(more, [], 0).map(({ identity }) => identity)).toEqual(['agent/db1']);
});
