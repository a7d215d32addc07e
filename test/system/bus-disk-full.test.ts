/** The bus's disk is full: the agent goes on and keeps what it can't deliver; once there is room, all of it arrives. */
import { rows } from '@muster/contracts';
import { eventually, seededRandom, startSmallDisk, temporaryDirectory, whyNoSmallDisk } from '@muster/testkit';
import { expect, test } from 'vitest';
import { startHub } from './hub.ts';
import { expectWholeStory, Ledger } from './ledger.ts';
import { newSeed } from './seed.ts';

const DISK_MIB = 24;
const CRASHES = 20;

test('a full disk of the bus costs no event', async (context) => {
  const reason = whyNoSmallDisk();
  context.skip(reason !== undefined, reason);
  const random = seededRandom(newSeed('bus-disk-full'));
  await using disk = await startSmallDisk(DISK_MIB);
  await using hub = await startHub({ hosts: ['web1'], disk });
  await using files = await temporaryDirectory();
  const ledger = new Ledger(files.path, ['alpha', 'beta']);
  await using system = await hub.join('web1', ledger.services);
  await using bus = await hub.connect();
  let backlog = -1;
  bus.subscribe(rows.hostPresence, { host: 'web1' }, (heartbeat) => {
    backlog = heartbeat.backlog;
  });
  await ledger.settled(system);
  await expectWholeStory(ledger, system, bus);
  const { agentPid } = system;

  await disk.fill();
  for (let crash = 0; crash < CRASHES; crash += 1) {
    await ledger.crash(random);
    await ledger.settled(system);
  }
  // Not in its heartbeats: a server of 2.9 stands still altogether.
  await eventually(() => /"reason":"[^"]+","msg":"events"/.test(system.output), {
    message: 'a word in its log',
    timeoutMs: 60_000,
  });

  await disk.makeRoom();
  // A server whose disk was full stores nothing until it is started again.
  backlog = -1;
  await hub.server.restart();
  await ledger.settled(system);
  await expectWholeStory(ledger, system, bus);
  await eventually(() => backlog === 0, { message: 'nothing waits', timeoutMs: 60_000 });
  expect(system.agentPid, 'the agent went on').toBe(agentPid);
});
