import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { bucketName, certainlyKept, type Incarnation, keys } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus, openBus, raised, readIncarnation, setUpIncarnation } from '@muster/contracts/bus';
import { startNatsServer, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';

test.each([
  { since: 3, stream: 'events', expected: Number.POSITIVE_INFINITY },
  { since: 2, stream: 'events', expected: 7 },
  { since: 1, stream: 'events', expected: 5 },
  // Nothing was told of it, or of that time.
  { since: 2, stream: 'logs', expected: 0 },
  { since: 0, stream: 'events', expected: 0 },
])('what a stream certainly kept since $since: $stream', ({ since, stream, expected }) => {
  const told: Incarnation = {
    incarnation: 3,
    raises: [
      { incarnation: 2, kept: [{ stream: 'events', seq: 5 }] },
      { incarnation: 3, kept: [{ stream: 'events', seq: 7 }] },
    ],
  };
  expect(certainlyKept(told, since, stream)).toBe(expected);
});

test('only so many raises are told of', () => {
  let told: Incarnation = { incarnation: 1, raises: [] };
  for (let number = 2; number < 60; number += 1) told = raised(told, number, []);
  expect(told.raises.length).toBe(16);
  expect(told.raises.at(-1)?.incarnation).toBe(59);
});

async function setUp(bus: NatsBus, directory?: string, isRestored = false): Promise<number> {
  await bus.connected(AbortSignal.timeout(30_000));
  await setupBus(bus);
  return (await setUpIncarnation(bus, { isRestored, ...(directory !== undefined && { directory }) })).incarnation;
}

test('each set-up compares the store with what stands beside the keys', async () => {
  await using home = await temporaryDirectory();
  await using server = await startNatsServer();
  await using bus = openBus({ servers: server.url, environment: 'test', role: 'admin', id: 'setup' });
  const [keysDir, formerKeys] = [join(home.path, 'keys'), join(home.path, 'former')];
  expect(await setUp(bus, keysDir)).toBe(1);
  expect(await setUp(bus, keysDir)).toBe(1);
  // A set-up from a machine without the keys changes no mark.
  expect(await setUp(bus)).toBe(1);
  expect(await setUp(bus, keysDir)).toBe(1);
  expect(await setUp(bus, keysDir, true)).toBe(2);
  // As if the store were older: what stands beside the keys is of another set-up.
  await cp(keysDir, formerKeys, { recursive: true });
  expect(await setUp(bus, keysDir)).toBe(2);
  expect(await setUp(bus, formerKeys)).toBe(3);

  await server.restart({ wipe: true });
  expect(await setUp(bus, formerKeys)).toBe(4);
  expect((await readIncarnation(bus))?.incarnation).toMatchObject({ incarnation: 4 });

  // Whatever somebody had the server put there: the number never falls.
  const key = `$KV.${bucketName('test', 'config')}.${keys.incarnation()}`;
  await bus.publishEncoded(key, new TextEncoder().encode('rubbish'), {});
  expect(await readIncarnation(bus)).toBeUndefined();
  expect(await setUp(bus, formerKeys)).toBe(5);
});
