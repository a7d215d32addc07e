/**
 * Everything at once, at random: services crash, agents are killed with -9, the bus is killed or paused, the prober is
 * killed, links are cut, stalled and slowed down. Afterwards the oracle speaks: nothing lost, nothing twice, in order, the
 * bucket as the stream's end, never two live copies.
 *
 * MUSTER_SEED repeats the schedule of a failed run, as far as a machine repeats itself; `npm run soak -- --storm --minutes 30`
 * makes it longer than `npm test` has time for.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { rows } from '@muster/contracts';
import {
  type FixtureProcess,
  type MusterSystem,
  type SeededRandom,
  seededRandom,
  startTcpFaults,
  type TcpFaults,
  temporaryDirectory,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { type Hub, startHub } from './hub.ts';
import { expectWholeStory, Ledger } from './ledger.ts';
import { newSeed } from './seed.ts';

const STORM_MS = Number(process.env['MUSTER_STORM_SECONDS'] ?? 60) * 1_000;
/** What comes after it: delivery, adoption, reading everything back. */
const AFTERMATH_MS = 180_000;
const HOSTS = ['web1', 'web2'] as const;
const SERVICES = ['alpha', 'beta'] as const;

/** One host: its link to the bus, what it runs, what its services wrote down. */
interface Station extends AsyncDisposable {
  readonly system: MusterSystem;
  readonly link: TcpFaults;
  readonly ledger: Ledger;
}

interface Scene {
  readonly hub: Hub;
  readonly stations: readonly Station[];
  readonly random: SeededRandom;
  /** The one that runs now. */
  prober: FixtureProcess;
}

/** One thing that goes wrong. It ends when all of it is well again; others go on meanwhile. */
interface Fault {
  readonly name: string;
  /** How often, against the others. */
  readonly weight: number;
  /** At most one of a kind at a time: what is being restarted can't be killed in order. */
  readonly on: (scene: Scene) => string;
  readonly strike: (scene: Scene) => Promise<void>;
}

const anyStation = ({ stations, random }: Scene): Station => random.pick(stations);

function onLink(name: string, weight: number, act: (link: TcpFaults, scene: Scene) => Promise<void>): Fault[] {
  return HOSTS.map((host, index) => ({
    name: `${name} of ${host}`,
    weight,
    on: () => `link of ${host}`,
    strike: async (scene) => {
      const { link } = scene.stations[index] as Station;
      await act(link, scene);
      link.delay(0);
      await link.heal();
    },
  }));
}

function onAgents(name: string, weight: number): Fault[] {
  return HOSTS.map((host, index) => ({
    name: `${name} of ${host}`,
    weight,
    on: () => `agent of ${host}`,
    strike: async ({ stations, random }) => {
      const { system } = stations[index] as Station;
      await system.killAgent();
      await delay(random.integer(0, 2_000));
      await system.startAgent();
    },
  }));
}

let crashes = 0;
const FAULTS: readonly Fault[] = [
  {
    name: 'a service crashes',
    weight: 12,
    on: () => `crash ${crashes++}`,
    strike: async (scene) => anyStation(scene).ledger.crash(scene.random),
  },
  ...onAgents('kill', 2),
  ...onLink('cut', 1, async (link, { random }) => {
    await link.cut();
    await delay(random.integer(0, 4_000));
  }),
  ...onLink('stall', 1, async (link, { random }) => {
    link.stall();
    await delay(random.integer(0, 15_000));
  }),
  ...onLink('delay', 1, async (link, { random }) => {
    link.delay(random.integer(1, 500));
    await delay(random.integer(0, 6_000));
  }),
  {
    name: 'the bus is killed',
    weight: 2,
    on: () => 'bus',
    strike: async ({ hub, random }) => {
      await hub.server.kill();
      await delay(random.integer(0, 4_000));
      await hub.server.restart();
    },
  },
  {
    name: 'the bus is paused',
    weight: 2,
    on: () => 'bus',
    strike: async ({ hub, random }) => {
      await hub.server.kill('SIGSTOP');
      // Longer than a publisher waits for its answer.
      await delay(random.integer(0, 8_000));
      await hub.server.kill('SIGCONT');
    },
  },
  {
    name: 'the prober is killed',
    weight: 1,
    on: () => 'prober',
    strike: async (scene) => {
      await scene.prober.kill();
      await delay(scene.random.integer(0, 2_000));
      scene.prober = await scene.hub.program('health-prober');
    },
  },
];

/** Until the time is over; then waits until each fault is over, too. Says what happened how often. */
async function storm(scene: Scene, durationMs: number): Promise<ReadonlyMap<string, number>> {
  const { random } = scene;
  const bag = FAULTS.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
  const counts = new Map<string, number>();
  const under = new Map<string, Promise<void>>();
  const failures: unknown[] = [];
  const endsAtMs = performance.now() + durationMs;
  while (performance.now() < endsAtMs && failures.length === 0) {
    await delay(random.integer(0, 600));
    const fault = random.pick(bag);
    const target = fault.on(scene);
    if (under.has(target)) continue;
    counts.set(fault.name, (counts.get(fault.name) ?? 0) + 1);
    const over = fault
      .strike(scene)
      .catch((error: unknown) => failures.push(error))
      .then(() => void under.delete(target));
    under.set(target, over);
  }
  await Promise.all(under.values());
  if (failures.length > 0) throw failures[0];
  return counts;
}

async function startStation(hub: Hub, host: string): Promise<Station> {
  const link = await startTcpFaults({ host: '127.0.0.1', port: hub.server.port });
  const files = await temporaryDirectory();
  const ledger = new Ledger(files.path, SERVICES);
  const system = await hub.join(host, ledger.services, { url: `nats://127.0.0.1:${link.port}` });
  return {
    system,
    link,
    ledger,
    async [Symbol.asyncDispose]() {
      for (const owned of [system, files, link]) await owned[Symbol.asyncDispose]();
    },
  };
}

test(`a storm of ${STORM_MS / 1_000} s`, { timeout: STORM_MS + AFTERMATH_MS }, async () => {
  const random = seededRandom(newSeed('storm'));
  await using hub = await startHub({ hosts: HOSTS });
  await using web1 = await startStation(hub, HOSTS[0]);
  await using web2 = await startStation(hub, HOSTS[1]);
  const stations = [web1, web2];
  const scene: Scene = { hub, stations, random, prober: await hub.program('health-prober') };
  await using _prober = { [Symbol.asyncDispose]: () => scene.prober[Symbol.asyncDispose]() };
  for (const { ledger, system } of stations) await ledger.settled(system);

  const counts = await storm(scene, STORM_MS);
  console.log(`storm: ${[...counts].map(([name, count]) => `${count} × ${name}`).join(', ')}`);

  await using bus = await hub.connect();
  for (const { ledger, system } of stations) {
    await ledger.settled(system);
    await expectWholeStory(ledger, system, bus);
  }
  const alerts = (await bus.history(rows.alert, {})).map(({ message }) => message.id);
  expect(new Set(alerts).size, 'no alert event twice').toBe(alerts.length);
});
