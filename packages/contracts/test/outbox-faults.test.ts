/*
 * The promise of the outbox under the worst that can happen at once: the process that appends is killed at random
 * moments and started again, and so is nats-server, which keeps its data. Whatever `append` has returned for arrives
 * once, and in order per subject.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { rows } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { openBus } from '@muster/contracts/bus';
import { seededRandom, startNatsServer, startNodeFixture, temporaryDirectory } from '@muster/testkit';
import { beforeAll, expect, test } from 'vitest';

const INSTANCES = 7;
const KILLS = 12;
const ROOT = join(import.meta.dirname, '../../..');

beforeAll(async () => {
  // The fixture is a process of its own: it runs what is built.
  await promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), ['-b', 'packages/contracts'], { cwd: ROOT });
});

test('killed at random, with the server killed at random, everything arrives once and in order', async () => {
  const random = seededRandom();
  console.log(`outbox faults: seed ${random.seed}`);
  await using server = await startNatsServer();
  await using directory = await temporaryDirectory();
  await using bus = openBus({ servers: server.url, environment: 'test', role: 'admin', id: 'tester' });
  await bus.connected();
  await setupBus(bus);
  const ledger = join(directory.path, 'ledger');
  const start = (first: number) =>
    startNodeFixture(join(import.meta.dirname, 'fixtures/outbox-writer.mjs'), [
      server.url,
      join(directory.path, 'outbox'),
      ledger,
      String(INSTANCES),
      String(first),
    ]);

  for (let round = 0; round < KILLS; round++) {
    // Counters of a later round are higher, also than one that was appended and not noted.
    const writer = await start(round * 1_000_000);
    await writer.line(/^open/);
    await delay(random.integer(0, 400));
    const isServerFirst = random.next() < 0.5;
    if (random.next() < 0.6 && isServerFirst) await server.kill();
    await delay(random.integer(0, 50));
    await writer.kill();
    await server.restart();
  }
  const last = await start(KILLS * 1_000_000);
  await last.line(/^open/);
  await delay(random.integer(0, 200));
  await server.restart();
  await delay(random.integer(0, 200));
  last.child.stdin?.write('finish\n');
  await last.line('finished', 60_000);

  await bus.connected();
  const appended = (await readFile(ledger, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number));
  const history = await bus.history(rows.instanceEvent, {});
  for (let instance = 0; instance < INSTANCES; instance++) {
    const counters = history.filter(({ params }) => params.instance === instance).map(({ message }) => message.seq);
    expect(counters, `seed ${random.seed}: in order, none twice`).toEqual([...new Set(counters)].sort((a, b) => a - b));
    const arrived = new Set(counters);
    const missing = appended.filter(([of, counter]) => of === instance && !arrived.has(counter as number));
    expect(missing, `seed ${random.seed}: none lost`).toEqual([]);
  }
  console.log(`outbox faults: ${appended.length} appended, ${history.length} arrived`);
}, 180_000);
