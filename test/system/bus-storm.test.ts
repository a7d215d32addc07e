/**
 * Nothing that happened is lost. The bus is killed with -9 again and again, and comes back as a service of the agent, while
 * services crash and are restarted. Whatever the moment: the agent goes on, and every transition arrives once and in order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, seededRandom, startMusterSystem, temporaryDirectory } from '@muster/testkit';
import { expect, test } from 'vitest';
import { expectWholeStory, Ledger } from './ledger.ts';
import { newSeed } from './seed.ts';
import { connect, waitForBus } from './support.ts';

const SERVICES = ['alpha', 'beta', 'gamma'] as const;
const BUS_KILLS = 10;
const CRASHES_PER_KILL = 3;
/** Of nats-server, which is one of Muster's own and so never given up. */
const BUS = 'nats-server';

test(`${BUS_KILLS} kills of the bus under load: every event arrives, once and in order`, async () => {
  const random = seededRandom(newSeed('bus-storm'));
  await using files = await temporaryDirectory();
  const ledger = new Ledger(files.path, SERVICES);
  await using system = await startMusterSystem({ services: ledger.services });
  await waitForBus(system);
  const agentPid = system.agentPid;
  let busPid = 0;
  for (let kill = 0; kill < BUS_KILLS; kill += 1) {
    const bus = await system.waitFor(
      BUS,
      ({ pid, state }) => state === 'running' && pid !== undefined && pid !== busPid,
    );
    busPid = bus.pid ?? 0;
    // Sometimes while clients are still on their way back to it.
    await delay(random.integer(0, 800));
    const isKilledFirst = random.integer(0, 1) === 0;
    if (isKilledFirst) process.kill(busPid, 'SIGKILL');
    for (let crash = 0; crash < CRASHES_PER_KILL; crash += 1) await ledger.crash(random);
    if (!isKilledFirst && isAlive(busPid)) process.kill(busPid, 'SIGKILL');
  }
  await ledger.settled(system);

  expect(system.agentPid).toBe(agentPid);
  expect(isAlive(agentPid), 'the agent went on').toBe(true);
  await using bus = await connect(system);
  await expectWholeStory(ledger, system, bus);
});

test('killed while the bus is away and its events undelivered: the next agent delivers them, once', async () => {
  const random = seededRandom(newSeed('bus-storm, agent'));
  await using files = await temporaryDirectory();
  const ledger = new Ledger(files.path, SERVICES);
  await using system = await startMusterSystem({ services: ledger.services });
  await waitForBus(system);
  await ledger.settled(system);

  // Stopped, not killed: the agent cannot bring it back, and nothing of what happens now can be delivered.
  const { pid: busPid = 0 } = await system.waitUntilReady(BUS);
  process.kill(busPid, 'SIGSTOP');
  for (let round = 0; round < 3; round += 1) {
    for (let crash = 0; crash < CRASHES_PER_KILL; crash += 1) await ledger.crash(random);
    await ledger.settled(system);
    await system.killAgent();
    await system.startAgent();
  }
  expect(isAlive(busPid), 'the same bus: what it missed was on the disk of the agents').toBe(true);
  process.kill(busPid, 'SIGCONT');
  await ledger.settled(system);
  await using bus = await connect(system);
  await expectWholeStory(ledger, system, bus);
});
