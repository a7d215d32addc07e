/**
 * The oracle of the storms. The witness is the services themselves: each run of `counted.sh` writes down its generation, the
 * test each crash. What the stream then holds must tell exactly that, once and in order, and the bucket must end as it does.
 */
import path from 'node:path';
import { type InstanceEvent, keys, rows } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { eventually, isAlive, type MusterSystem, type SeededRandom } from '@muster/testkit';
import { expect } from 'vitest';
import { killHard, linesOf, recentEvents, servicesYaml } from './support.ts';

const COUNTED = path.resolve(import.meta.dirname, '../fixtures/counted.sh');
const PATIENCE_MS = 90_000;

export class Ledger {
  readonly names: readonly string[];
  readonly #folder: string;
  readonly #crashes: Map<string, number>;
  /** Who was killed lives on for a moment: killed again in that moment, it would count as two crashes. */
  readonly #dying = new Set<number>();

  /** `folder` belongs to one host only. */
  constructor(folder: string, names: readonly string[]) {
    this.#folder = folder;
    this.names = names;
    this.#crashes = new Map(names.map((name) => [name, 0]));
  }

  /** Text of services.yaml; they are restarted at once, for ever. */
  get services(): string {
    return servicesYaml(
      ...this.names.map((name) => ({
        name,
        command: [COUNTED, this.#folder, name],
        restart_delay: 0,
        max_restarts: 1_000,
      })),
    );
  }

  /** Kills the newest run of one of them. A run whose successor has not written itself down yet can't crash again. */
  async crash(random: SeededRandom): Promise<void> {
    const name = random.pick(this.names);
    const pid = await this.pidOf(name);
    if (pid === undefined || this.#dying.has(pid) || !isAlive(pid)) return;
    this.#dying.add(pid);
    await killHard(pid);
    this.#dying.delete(pid);
    this.#crashes.set(name, (this.#crashes.get(name) ?? 0) + 1);
  }

  async pidOf(name: string): Promise<number | undefined> {
    const last = (await linesOf(path.join(this.#folder, `${name}.runs`))).at(-1);
    return last === undefined ? undefined : Number(last.split(' ')[1]);
  }

  /** Which process each of them is now. */
  async pids(): Promise<ReadonlyMap<string, number | undefined>> {
    return new Map(await Promise.all(this.names.map(async (name) => [name, await this.pidOf(name)] as const)));
  }

  /** Of each service the newest run is alive, whatever the agent says. */
  async alive(): Promise<void> {
    for (const name of this.names) {
      await eventually(
        async () => {
          const pid = await this.pidOf(name);
          return pid !== undefined && isAlive(pid);
        },
        { timeoutMs: PATIENCE_MS, message: `a live run of ${name}` },
      );
    }
  }

  /** Of each service the newest run is alive, and the agent says so. */
  async settled(system: MusterSystem): Promise<void> {
    for (const name of this.names) {
      await eventually(
        async () => {
          const pid = await this.pidOf(name);
          const facts = (await system.instances()).find(({ service }) => service === name);
          return pid !== undefined && isAlive(pid) && facts?.pid === pid && facts.ready === 'yes';
        },
        { timeoutMs: PATIENCE_MS, message: `rest of ${name}` },
      );
    }
  }

  /** Everything that the agent remembers is stored: of each service its last event is in the bucket, which is put behind it. */
  async delivered(system: MusterSystem, bus: Bus): Promise<void> {
    for (const name of this.names) {
      await eventually(
        async () => {
          const newest = (await recentEvents(system, name)).at(-1);
          const entry = await bus.kv('status').get(keys.instance(system.host, name, 0));
          if (newest === undefined || entry?.value.id !== newest.id) {
            throw new Error(`KV has ${entry?.value.id}, the agent remembers ${newest?.id}`);
          }
          return true;
        },
        { timeoutMs: PATIENCE_MS, message: `${name}: the KV value is the last event's` },
      );
    }
  }

  /** What each run wrote of itself, oldest first: its generation. */
  async runsOf(name: string): Promise<readonly number[]> {
    return (await linesOf(path.join(this.#folder, `${name}.runs`))).map((line) => Number(line.split(' ')[0]));
  }

  crashesOf(name: string): number {
    return this.#crashes.get(name) ?? 0;
  }

  /** What runs wrote that had found a live copy beside them. */
  violations(): Promise<readonly string[]> {
    return linesOf(path.join(this.#folder, 'violations'));
  }
}

/** Nothing lost, nothing twice, in order, the bucket as the stream's end, and never a second copy. */
export async function expectWholeStory(ledger: Ledger, system: MusterSystem, bus: Bus): Promise<void> {
  expect(await ledger.violations(), 'no copy ever met a live one').toEqual([]);
  for (const name of ledger.names) {
    const events = await wholeStream(bus, system, name);
    expect(new Set(events.map(({ id }) => id)).size, `${name}: no event twice`).toBe(events.length);
    expectOrder(name, events);
    await expectRunsAndCrashes(ledger, name, events);
  }
  // The stream ends as the agent remembers it, so the bucket must, too.
  await ledger.delivered(system, bus);
}

async function expectRunsAndCrashes(ledger: Ledger, name: string, events: readonly InstanceEvent[]): Promise<void> {
  const runs = await ledger.runsOf(name);
  expect(new Set(runs).size, `${name}: no generation ran twice`).toBe(runs.length);
  const starts = events.filter(({ to }) => to === 'starting').map(({ generation }) => generation);
  const neverRun = starts.filter((generation) => !runs.includes(generation));
  expect(
    starts.filter((generation) => runs.includes(generation)),
    `${name}: each run has one event of its start`,
  ).toEqual(runs);
  // A start is on record before it is made: an agent that is killed in between leaves one that never became a run.
  const agents = new Set(events.map(({ epoch }) => epoch)).size;
  expect(neverRun.length, `${name}: no other start, but for one of each killed agent`).toBeLessThan(agents);
  const exits = events.flatMap(({ exit }) => exit ?? []);
  expect(exits, `${name}: each crash has one event, with its signal`).toEqual(
    Array.from({ length: ledger.crashesOf(name) }, () => ({ code: null, signal: 'SIGKILL', known: true })),
  );
}

/**
 * All events of a service, once the stream ends with the last one that the agent remembers and has all others, too. An agent
 * that was killed has forgotten what it had not written into its status file; the stream has not.
 */
function wholeStream(bus: Bus, system: MusterSystem, name: string): Promise<readonly InstanceEvent[]> {
  return eventually(
    async () => {
      const stored = await bus.history(rows.instanceEvent, { host: system.host, service: name });
      const events = stored.map(({ message }) => message);
      const ids = events.map(({ id }) => id);
      const remembered = (await recentEvents(system, name)).map(({ id }) => id);
      const missing = remembered.filter((id) => !ids.includes(id));
      if (missing.length > 0 || remembered.at(-1) !== ids.at(-1)) {
        throw new Error(
          `the stream ends with ${ids.at(-1)}, the agent remembers ${remembered.at(-1)}; missing: ${missing.join(', ')}`,
        );
      }
      return events;
    },
    { timeoutMs: PATIENCE_MS, message: `all events of ${name} in the stream` },
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
