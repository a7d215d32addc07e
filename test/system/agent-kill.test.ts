/**
 * An agent's death is a non-event. The agent is killed with -9 again and again, at moments spread over every step of a
 * start, a run, a stop, a restart and a crash; each time a next agent takes over. Whatever the moment: never two live copies
 * of a service, nothing left behind, exit codes known, no event lost, twice or out of order, and no restart counted twice or
 * forgotten.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type InstanceEvent, rows } from '@muster/contracts';
import { type Bus, openBus } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import {
  eventually,
  type InstanceFacts,
  isAlive,
  type MusterSystem,
  seededRandom,
  startMusterSystem,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { newSeed } from './seed.ts';

const ROUNDS = 50;
const MODES = { steady: 'steady', stubborn: 'stubborn', forking: 'forking', crashing: 'steady' } as const;
const SERVICES = Object.keys(MODES) as (keyof typeof MODES)[];
const FIXTURE = path.resolve(import.meta.dirname, '../fixtures/guarded.sh');
const CRASH_CODE = 7;
const ACTS = ['stop', 'start', 'restart', 'restart', 'kill', 'kill', 'crash', 'crash', 'nothing'] as const;
/** More than the rounds can use up: what is counted must be counted across all agents. */
const BUDGET = 200;
/** Crashes by itself, and has used up its budget before the rounds are over: the last agents must leave it failed. */
const SPENDER = 'spending';
const SPENDER_BUDGET = 12;

function servicesYaml(ledger: string): string {
  const entry = (name: string, mode: string, budget: number) =>
    `  - name: ${name}\n    command: [${FIXTURE}, ${ledger}, ${name}, ${mode}]\n    stop_timeout: 300ms\n    max_restarts: ${budget}\n    restart_delay: 0`;
  const entries = [
    ...SERVICES.map((name) => entry(name, MODES[name], BUDGET)),
    entry(SPENDER, 'brief', SPENDER_BUDGET),
  ];
  return `services:\n${entries.join('\n')}\n`;
}

test(`${ROUNDS} kills of the agent`, async () => {
  const seed = newSeed('agent-kill');
  const random = seededRandom(seed);
  await using system = await startMusterSystem();
  const ledger = path.join(system.stateDir, 'ledger');
  await mkdir(ledger);
  // The agent is not ready for its services yet: the first kill belongs to the start.
  await system.killAgent();
  await system.writeServices(servicesYaml(ledger));
  await system.startAgent();
  await system.waitUntilUp();
  await using bus = openBus({
    servers: system.busUrl,
    credentialsFile: system.credentials('operator-cli'),
    environment: system.environment,
    role: 'operator',
    id: 'cli',
  });
  await bus.connected(AbortSignal.timeout(30_000));
  using client = new FleetClient({ bus, actor: 'agent-kill test' });

  let crashes = 0;
  const kills = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round += 1) {
    const service = random.pick(SERVICES);
    const act = random.pick(ACTS);
    if (act === 'stop' || act === 'start' || act === 'restart') {
      // Sent, and sometimes not waited for: the kill falls somewhere into what it sets off, or before it.
      const asked = client.agents.command(system.host, act, { service });
      if (random.integer(0, 1) === 0) await asked;
    } else if (act === 'kill') {
      const pid = startsOf(ledger, service).at(-1)?.pid ?? 0;
      if (isAlive(pid)) {
        process.kill(pid, 'SIGKILL');
        kills.set(service, (kills.get(service) ?? 0) + 1);
      }
    } else if (act === 'crash' && !existsSync(path.join(ledger, 'crashing.crash'))) {
      await writeFile(path.join(ledger, 'crashing.crash'), String(CRASH_CODE));
      crashes += 1;
    }
    if (hasSpent(ledger) || random.integer(0, 3) === 0) {
      await delay(random.integer(0, 250));
    } else {
      await crashOfSpender(ledger);
      await delay(random.integer(0, 12));
    }
    await system.killAgent();
    if (random.integer(0, 3) === 0) await delay(random.integer(0, 200));
    await system.startAgent();
    // Half of the agents die again while they are still adopting.
    if (random.integer(0, 1) === 0) await settled(system);
  }
  await settled(system);

  for (const service of SERVICES) {
    await eventually(
      async () => (await client.agents.command(system.host, 'start', { service })).outcome === 'accepted',
      {
        message: `start of ${service} accepted`,
        timeoutMs: 60_000,
      },
    );
  }
  // A crash that was asked for while the service was stopped comes only now.
  await eventually(async () => (await crashesTold(bus, system.host)).length >= crashes, {
    message: `${crashes} crashes in the stream`,
    timeoutMs: 60_000,
  });
  await newestRunsAreTold(system, ledger);

  expect(existsSync(path.join(ledger, 'violations')), 'no copy ever met a live one').toBe(false);
  await expectNoOrphans(system);
  await expectTruthfulHistory(bus, system, ledger, crashes);
  for (const service of SERVICES) {
    const { restarts } = await system.waitUntilReady(service);
    const explained = (kills.get(service) ?? 0) + (service === 'crashing' ? crashes : 0);
    expect(restarts, `${service}: no restart is counted without an end`).toBeLessThanOrEqual(explained);
  }
  await expectSpentBudget(bus, system, ledger);
  expect(await system.shutDown()).toBe(0);
  expect(await system.tagged(), 'nothing is left after an orderly stop').toEqual([]);
});

function hasSpent(ledger: string): boolean {
  return startsOf(ledger, SPENDER).length > SPENDER_BUDGET;
}

/** Waits for the end of a run, to the millisecond: the kill that follows falls between counting a restart and starting it. */
async function crashOfSpender(ledger: string): Promise<void> {
  const { pid } = await eventually(
    () => {
      const run = startsOf(ledger, SPENDER).at(-1);
      return run !== undefined && isAlive(run.pid) ? run : undefined;
    },
    { message: `a run of ${SPENDER}`, timeoutMs: 60_000 },
  );
  while (isAlive(pid)) await delay(1);
}

/** This agent has had its say about every instance. */
async function settled(system: MusterSystem): Promise<void> {
  const restless = new Set(['unknown', 'starting', 'stopping', 'backoff']);
  for (const service of SERVICES) {
    await system.waitFor(service, ({ state }) => !restless.has(state), 'rest');
  }
}

/** Of each service the newest run lives, and is what the file says: until it is written anew, that is the last agent's. */
async function newestRunsAreTold(system: MusterSystem, ledger: string): Promise<void> {
  for (const service of SERVICES) {
    const isNewest = ({ state, ready, pid }: InstanceFacts) => {
      const newest = startsOf(ledger, service).at(-1)?.pid ?? 0;
      return state === 'running' && ready === 'yes' && pid === newest && isAlive(newest);
    };
    await system.waitFor(service, isNewest, 'the newest run');
  }
}

/** Each end with the code that it was asked for. */
async function crashesTold(bus: Bus, host: string): Promise<readonly InstanceEvent[]> {
  const events = await bus.history(rows.instanceEvent, { host, service: 'crashing' });
  return events.map(({ message }) => message).filter(({ exit }) => exit?.code === CRASH_CODE);
}

/** Only the newest generation of each service lives. */
async function expectNoOrphans(system: MusterSystem): Promise<void> {
  const instances = await system.instances();
  await eventually(
    async () => {
      const strays = (await system.tagged()).filter(({ tag }) => {
        const [service, , generation] = tag.split('/');
        return instances.every((facts) => facts.service !== service || facts.generation !== Number(generation));
      });
      if (strays.length > 0) throw new Error(`left of earlier runs: ${JSON.stringify(strays)}`);
      return true;
    },
    { message: 'an end of earlier runs' },
  );
}

async function expectTruthfulHistory(bus: Bus, system: MusterSystem, ledger: string, crashes: number): Promise<void> {
  const instances = await system.instances();
  for (const service of SERVICES) {
    const generation = instances.find((facts) => facts.service === service)?.generation ?? 0;
    const events = await eventually(() => completeHistory(bus, system.host, service, generation), {
      message: `the end of ${service}'s events in the stream`,
    });
    expect(new Set(events.map(({ id }) => id)).size, `${service}: no event twice`).toBe(events.length);
    for (const [i, event] of events.entries()) {
      const before = events[i - 1];
      if (before === undefined) continue;
      const isLater = event.epoch > before.epoch || (event.epoch === before.epoch && event.seq > before.seq);
      expect(isLater, `${service}: events in order`).toBe(true);
      expect(event.generation, `${service}: generations only grow`).toBeGreaterThanOrEqual(before.generation);
    }
    const unknownExits = events.filter(({ exit }) => exit?.known === false);
    expect(unknownExits, `${service}: every exit code is known`).toEqual([]);

    const started = startsOf(ledger, service).map(({ generation }) => generation);
    expect(new Set(started).size, `${service}: no generation ran twice`).toBe(started.length);
    const told = new Set(events.map(({ generation }) => generation));
    expect(
      started.filter((generation) => !told.has(generation)),
      `${service}: every run was told`,
    ).toEqual([]);
  }
  const crashed = await crashesTold(bus, system.host);
  expect(crashed.length, 'every crash was told once, with its exit code').toBe(crashes);
  const facts = (await system.instances()).find(({ service }) => service === 'crashing');
  expect(facts?.restarts, 'automatic restarts, counted across all agents').toBeGreaterThanOrEqual(crashes);
}

/** However often its agent died meanwhile, it ran once and was restarted as often as its budget allows. */
async function expectSpentBudget(bus: Bus, system: MusterSystem, ledger: string): Promise<void> {
  const failed = await system.waitFor(SPENDER, ({ state }) => state === 'failed');
  expect(failed).toMatchObject({ restarts: SPENDER_BUDGET, exit: { code: CRASH_CODE, known: true } });
  expect(startsOf(ledger, SPENDER), `${SPENDER}: runs`).toHaveLength(SPENDER_BUDGET + 1);
  const crashed = await eventually(
    async () => {
      const events = await bus.history(rows.instanceEvent, { host: system.host, service: SPENDER });
      const isOver = events.at(-1)?.message.to === 'failed';
      return isOver ? events.filter(({ message }) => message.exit?.code === CRASH_CODE) : undefined;
    },
    { message: `the end of ${SPENDER}'s events in the stream` },
  );
  expect(crashed, `${SPENDER}: every crash was told once`).toHaveLength(SPENDER_BUDGET + 1);
}

/** All events of a service once the last one says that this generation runs; until then `undefined`. */
async function completeHistory(
  bus: Bus,
  host: string,
  service: string,
  generation: number,
): Promise<InstanceEvent[] | undefined> {
  const stored = await bus.history(rows.instanceEvent, { host, service });
  const last = stored.at(-1)?.message;
  const isLast = last?.generation === generation && last.to === 'running' && last.ready === 'yes';
  return isLast ? stored.map(({ message }) => message) : undefined;
}

/** What the fixture wrote down of its own starts, oldest first. */
function startsOf(ledger: string, service: string): { generation: number; pid: number }[] {
  const file = path.join(ledger, `${service}.starts`);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => {
    const [generation, pid] = line.split(' ').map(Number);
    return { generation: generation ?? 0, pid: pid ?? 0 };
  });
}
