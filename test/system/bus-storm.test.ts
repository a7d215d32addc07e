/**
 * Nothing that happened is lost. The bus is killed with -9 again and again, and comes back as a service of the agent, while
 * services crash and are restarted. Whatever the moment: the agent goes on, and every transition arrives once and in order.
 *
 * The witness is the services themselves: each run writes down its generation, the test each crash. What the stream then
 * holds must tell exactly that.
 */
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type InstanceEvent, keys, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import {
  eventually,
  isAlive,
  type MusterSystem,
  type SeededRandom,
  seededRandom,
  startMusterSystem,
  temporaryDirectory,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { newSeed } from './seed.ts';
import { connect, killHard, linesOf, recentEvents, servicesYaml, waitForBus } from './support.ts';

const COUNTED = path.resolve(import.meta.dirname, '../fixtures/counted.sh');
const SERVICES = ['alpha', 'beta', 'gamma'] as const;
const BUS_KILLS = 10;
const CRASHES_PER_KILL = 3;
/** Of nats-server, which is one of Muster's own and so never given up. */
const BUS = 'nats-server';

function services(folder: string): string {
  return servicesYaml(
    ...SERVICES.map((name) => ({
      name,
      command: [COUNTED, folder, name],
      restart_delay: 0,
      max_restarts: 1_000,
    })),
  );
}

test(`${BUS_KILLS} kills of the bus under load: every event arrives, once and in order`, async () => {
  const random = seededRandom(newSeed('bus-storm'));
  await using files = await temporaryDirectory();
  await using system = await startMusterSystem({ services: services(files.path) });
  await waitForBus(system);
  const agentPid = system.agentPid;
  const crashes = new Map<string, number>(SERVICES.map((name) => [name, 0]));
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
    await crashSome(files.path, crashes, random);
    if (!isKilledFirst && isAlive(busPid)) process.kill(busPid, 'SIGKILL');
  }
  for (const name of SERVICES) await settle(system, files.path, name);

  expect(system.agentPid).toBe(agentPid);
  expect(isAlive(agentPid), 'the agent went on').toBe(true);
  await expectWholeStory(system, files.path, crashes);
});

test('killed while the bus is away and its events undelivered: the next agent delivers them, once', async () => {
  const random = seededRandom(newSeed('bus-storm, agent'));
  await using files = await temporaryDirectory();
  await using system = await startMusterSystem({ services: services(files.path) });
  await waitForBus(system);
  const crashes = new Map<string, number>(SERVICES.map((name) => [name, 0]));
  for (const name of SERVICES) await settle(system, files.path, name);

  // Stopped, not killed: the agent cannot bring it back, and nothing of what happens now can be delivered.
  const { pid: busPid = 0 } = await system.waitUntilReady(BUS);
  process.kill(busPid, 'SIGSTOP');
  for (let round = 0; round < 3; round += 1) {
    await crashSome(files.path, crashes, random);
    for (const name of SERVICES) await settle(system, files.path, name);
    await system.killAgent();
    await system.startAgent();
  }
  expect(isAlive(busPid), 'the same bus: what it missed was on the disk of the agents').toBe(true);
  process.kill(busPid, 'SIGCONT');
  for (const name of SERVICES) await settle(system, files.path, name);
  await expectWholeStory(system, files.path, crashes);
});

async function crashSome(folder: string, crashes: Map<string, number>, random: SeededRandom): Promise<void> {
  for (let crash = 0; crash < CRASHES_PER_KILL; crash += 1) {
    const name = random.pick(SERVICES);
    const pid = await lastPid(folder, name);
    // A run that has ended already, and whose successor has not written itself down yet, can't crash again.
    if (pid === undefined || !isAlive(pid)) continue;
    await killHard(pid);
    crashes.set(name, (crashes.get(name) ?? 0) + 1);
  }
}

async function lastPid(folder: string, name: string): Promise<number | undefined> {
  const last = (await linesOf(path.join(folder, `${name}.runs`))).at(-1);
  return last === undefined ? undefined : Number(last.split(' ')[1]);
}

/** Its newest run is alive, and the agent says so. */
async function settle(system: MusterSystem, folder: string, name: string): Promise<void> {
  await eventually(
    async () => {
      const pid = await lastPid(folder, name);
      const facts = (await system.instances()).find(({ service }) => service === name);
      return pid !== undefined && isAlive(pid) && facts?.pid === pid && facts.ready === 'yes';
    },
    { timeoutMs: 60_000, message: `rest of ${name}` },
  );
}

async function expectWholeStory(
  system: MusterSystem,
  folder: string,
  crashes: ReadonlyMap<string, number>,
): Promise<void> {
  await using bus = await connect(system);
  for (const name of SERVICES) {
    const events = await wholeStream(bus, system, name);
    expect(new Set(events.map(({ id }) => id)).size, `${name}: no event twice`).toBe(events.length);
    expectOrder(name, events);

    const runs = (await linesOf(path.join(folder, `${name}.runs`))).map((line) => Number(line.split(' ')[0]));
    expect(new Set(runs).size, `${name}: no generation ran twice`).toBe(runs.length);
    const starts = events.filter(({ to }) => to === 'starting');
    expect(
      starts.map(({ generation }) => generation),
      `${name}: each run has one event of its start`,
    ).toEqual(runs);
    const exits = events.flatMap(({ exit }) => exit ?? []);
    expect(exits, `${name}: each crash has one event, with its signal`).toEqual(
      Array.from({ length: crashes.get(name) ?? 0 }, () => ({ code: null, signal: 'SIGKILL', known: true })),
    );
    const newest = events.at(-1);
    await eventually(
      async () => {
        const entry = await bus.kv('status').get(keys.instance(system.host, name, 0));
        if (entry?.value.id !== newest?.id) throw new Error(`KV has ${entry?.value.id}, the stream ${newest?.id}`);
        return true;
      },
      { timeoutMs: 60_000, message: `${name}: the KV value is the last event's` },
    );
  }
}

/** All events of a service, once the stream ends as the agent remembers it. */
function wholeStream(bus: Bus, system: MusterSystem, name: string): Promise<readonly InstanceEvent[]> {
  return eventually(
    async () => {
      const stored = await bus.history(rows.instanceEvent, { host: system.host, service: name });
      const events = stored.map(({ message }) => message);
      const remembered = await recentEvents(system, name);
      const tail = events.slice(-remembered.length);
      const ids = (some: readonly InstanceEvent[]) => some.map(({ id }) => id).join('\n');
      if (ids(tail) !== ids(remembered)) {
        throw new Error(`the stream ends with\n${ids(tail)}\nthe agent remembers\n${ids(remembered)}`);
      }
      return events;
    },
    { timeoutMs: 60_000, message: `all events of ${name} in the stream` },
  );
}

function expectOrder(name: string, events: readonly InstanceEvent[]): void {
  for (const [i, event] of events.entries()) {
    const before = events[i - 1];
    if (before === undefined) continue;
    const isLater = event.epoch > before.epoch || (event.epoch === before.epoch && event.seq > before.seq);
    expect(isLater, `${name}: events in order`).toBe(true);
  }
}
