/**
 * Links that are neither there nor gone, between an agent and its bus: flapping, slow, half-open. The agent goes on, tries
 * again for ever, and what happened arrives once and in order.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StatusFile } from '@muster/contracts';
import { FleetClient } from '@muster/contracts/client';
import {
  eventually,
  type MusterSystem,
  type SeededRandom,
  seededRandom,
  startTcpFaults,
  type TcpFaults,
  temporaryDirectory,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { startHub } from './hub.ts';
import { expectWholeStory, Ledger } from './ledger.ts';
import { newSeed } from './seed.ts';

const SERVICES = ['alpha', 'beta'] as const;
/** Each way: a command takes more than a second there and back with its status. */
const SLOW_MS = 400;
/** Two pings go unanswered, 5 s each. */
const NOTICED_WITHIN_MS = 40_000;

interface Scene {
  readonly link: TcpFaults;
  readonly ledger: Ledger;
  readonly system: MusterSystem;
  readonly client: FleetClient;
  readonly random: SeededRandom;
}

/** One agent behind one bad link; afterwards the link is well, nothing healthy was restarted and the story is whole. */
async function behindLink(name: string, act: (scene: Scene) => Promise<void>): Promise<void> {
  const random = seededRandom(newSeed(`partition-links, ${name}`));
  await using hub = await startHub({ hosts: ['web1'] });
  await using link = await startTcpFaults({ host: '127.0.0.1', port: hub.server.port });
  await using files = await temporaryDirectory();
  const ledger = new Ledger(files.path, SERVICES);
  await using system = await hub.join('web1', ledger.services, { url: `nats://127.0.0.1:${link.port}` });
  await using bus = await hub.connect();
  using client = new FleetClient({ bus, actor: 'link test', timeoutMs: 10_000 });
  await ledger.settled(system);
  await heard(client);
  const { agentPid } = system;
  await act({ link, ledger, system, client, random });
  await ledger.settled(system);
  const pids = await ledger.pids();
  link.delay(0);
  await link.heal();
  await heard(client);
  await expectWholeStory(ledger, system, bus);
  expect(system.agentPid, 'the agent went on').toBe(agentPid);
  expect(await ledger.pids(), 'nothing healthy was restarted').toEqual(pids);
}

async function heard(client: FleetClient): Promise<void> {
  await eventually(() => client.host('web1').isAlive, { message: 'web1 heard', timeoutMs: NOTICED_WITHIN_MS });
}

async function isConnected(system: MusterSystem): Promise<boolean> {
  return StatusFile.parse(JSON.parse(await readFile(path.join(system.stateDir, 'status.json'), 'utf8'))).bus.connected;
}

test('flapping: up and down twenty times, while services crash', async () => {
  await behindLink('flapping', async ({ link, ledger, random }) => {
    const before = await ledger.pids();
    for (let flap = 0; flap < 20; flap += 1) {
      await link.cut();
      await ledger.crash(random);
      await delay(random.integer(0, 300));
      await link.heal();
      // Sometimes too short for a connection.
      await delay(random.integer(0, 900));
    }
    expect(await ledger.pids(), 'they crashed').not.toEqual(before);
  });
});

test('slow: nearly half a second each way', async () => {
  await behindLink('slow', async ({ link, ledger, client, random }) => {
    link.delay(SLOW_MS);
    for (let crash = 0; crash < 5; crash += 1) {
      await ledger.crash(random);
      await delay(random.integer(0, 1_000));
    }
    expect(await client.agents.status('web1')).toMatchObject({ outcome: 'accepted' });
    // Late heartbeats are heartbeats.
    await heard(client);
  });
});

test('half-open: connected by the word of both ends, and nothing passes', async () => {
  await behindLink('half-open', async ({ link, ledger, system, client, random }) => {
    link.stall();
    await ledger.crash(random);
    // It is heard no more, and an answer that does not come is not taken for one.
    expect(await client.agents.command('web1', 'restart', { service: 'alpha' })).toMatchObject({ outcome: 'unknown' });
    await eventually(() => !client.host('web1').isAlive, { message: 'web1 unknown', timeoutMs: NOTICED_WITHIN_MS });
    await eventually(async () => !(await isConnected(system)), {
      message: 'the agent says that it lost the bus',
      timeoutMs: NOTICED_WITHIN_MS,
    });
    await ledger.crash(random);
  });
});
