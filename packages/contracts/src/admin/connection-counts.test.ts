import { expect, test } from 'vitest';
import { ConnectionCounts, type CountedConnection } from './connection-counts.ts';

const MIB = 1024 * 1024;
const SECOND_MS = 1_000;

/** By seconds: the clock of the servers and this one's are the same here. */
function connection(server: string, bytes: number, startedAt: number, isOwned = true): CountedConnection {
  return { server, bytes, messages: bytes / 1_000, startedAtMs: startedAt * SECOND_MS, isOwned };
}

function readings() {
  const counts = new ConnectionCounts();
  return (atSeconds: number, servers: readonly string[], connections: Readonly<Record<string, CountedConnection>>) => {
    const nowMs = atSeconds * SECOND_MS;
    return Object.fromEntries(
      counts.take(new Map(Object.entries(connections)), new Map(servers.map((server) => [server, nowMs])), nowMs),
    );
  };
}

const OLD = 0;

test('what a server that answers late has to say is charged from where it was, not from the beginning', () => {
  const read = readings();
  read(100, ['a', 'b'], { 'a 1': connection('a', MIB, OLD), 'b 1': connection('b', 900 * MIB, OLD) });
  read(101, ['a'], { 'a 1': connection('a', MIB, OLD) });
  const after = read(102, ['a', 'b'], { 'a 1': connection('a', MIB, OLD), 'b 1': connection('b', 901 * MIB, OLD) });
  expect(after).toMatchObject({ 'a 1': { bytes: 0 }, 'b 1': { bytes: MIB, isNew: false } });
});

test.each([
  ['of a server that has never answered before', ['a']],
  ['that was on no page until now', ['a', 'b']],
])('an old connection %s is charged for nothing, and from then on for what it brings', (_, before) => {
  const read = readings();
  read(100, before, { 'a 1': connection('a', MIB, OLD) });
  const seen = read(101, ['a', 'b'], { 'b 1': connection('b', 900 * MIB, OLD) });
  expect(seen).toEqual({ 'b 1': { messages: 0, bytes: 0, isNew: false } });
  expect(read(102, ['a', 'b'], { 'b 1': connection('b', 930 * MIB, OLD) })['b 1']?.bytes).toBe(30 * MIB);
});

test('one that began since is charged for all it has brought, also where its owner becomes known later', () => {
  const read = readings();
  read(100, ['a'], {});
  expect(read(101, ['a'], { 'a 1': connection('a', 20 * MIB, 100.5) })['a 1']).toMatchObject({
    bytes: 20 * MIB,
    isNew: true,
  });
  expect(read(102, ['a'], { 'a 2': connection('a', 20 * MIB, 101.5, false) })).toEqual({});
  expect(read(103, ['a'], { 'a 2': connection('a', 50 * MIB, 101.5) })['a 2']).toMatchObject({
    bytes: 50 * MIB,
    isNew: true,
  });
});

test('one that waited before it logged in was in no list, and is none of the old', () => {
  const read = readings();
  read(100, ['a'], {});
  read(101, ['a'], {});
  expect(read(102, ['a'], { 'a 1': connection('a', 20 * MIB, 99) })['a 1']?.bytes).toBe(20 * MIB);
});
