import { setTimeout as delay } from 'node:timers/promises';
import { killIfAlive } from '@muster/testkit';
import { atMostOfPeer, type Finding } from '../finding.ts';
import { type FirstLines, killAndWait } from '../first-lines.ts';
import { Floor } from '../floor.ts';
import type { BenchContext, Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { Pm2 } from '../pm2.ts';
import { median, percentile } from '../statistics.ts';

/** Ahead of the peer is the promise; well ahead is what we aim at. */
const AIMED_RATIO = 0.6;
/** Single crashes: what a supervisor tidies up after one is mostly done before the next, in uneven time so that no phase is spared. */
const PAUSE_MS = { least: 300, most: 700 };
const SETTLE_MS = 3_000;

/** One supervisor with its services, in the order in which they are killed. */
interface Side {
  readonly lines: FirstLines;
  readonly names: readonly string[];
}

export const crash: Measure = {
  name: 'crash',
  includes:
    'SIGKILL of the main process of an sh service → the first line of its successor; Muster with its bus, journal, events and metrics, PM2 with nothing more, and a bare spawn in a Node process of its own, killed in turns; then all services of one killed at once → all have spoken again',
  async run(context) {
    const rounds = context.isQuick ? { one: 8, many: 20, all: 1 } : { one: 40, many: 150, all: 5 };
    const findings = [
      ...(await measure(context, 1, { single: rounds.one, all: 0 })),
      ...(await measure(context, context.services, { single: rounds.many, all: rounds.all })),
    ];
    return {
      counts: `kills of each: ${rounds.one} with 1 service, ${rounds.many} with ${context.services}; all at once ${rounds.all} times`,
      findings,
    };
  },
};

interface Rounds {
  readonly single: number;
  readonly all: number;
}

async function measure(context: BenchContext, services: number, rounds: Rounds): Promise<Finding[]> {
  const { rootDir, pm2, signal } = context;
  context.say(
    `crash: starting ${services} ${services === 1 ? 'service' : 'services'} under Muster, PM2 and a bare spawn`,
  );
  await using ours = await Muster.start({ rootDir, services, parts: 'agent', signal });
  await using peer = Pm2.prepare(pm2, services, signal);
  await peer?.start();
  await using floor = new Floor(services);
  await floor.start(signal);
  await delay(SETTLE_MS, undefined, { signal });

  context.say(`crash: killing ${rounds.single} times each`);
  const sides: readonly Side[] = [ours, floor, ...(peer === undefined ? [] : [peer])];
  const singles = await killInTurns(sides, rounds.single, signal);
  const alls = rounds.all === 0 ? [] : await killAllInTurns(sides, rounds.all, signal);
  const label = `crash → first line, ${services} ${services === 1 ? 'service' : 'services'}`;
  const isMany = services > 1;
  return [
    compare(`${label}, p50`, singles, 0.5, isMany ? AIMED_RATIO : undefined),
    compare(`${label}, p95`, singles, 0.95, isMany ? 1 : undefined),
    beside('  beside a bare spawn, p50', singles),
    ...(alls.length > 0
      ? [
          compare(`all ${services} killed at once → all back, p50`, alls, 0.5),
          beside('  beside a bare spawn, p50', alls),
        ]
      : []),
  ];
}

/** Of ours, the bare spawn and, where there is one, PM2, in ms. */
function compare(what: string, [ours = [], , peer]: readonly number[][], share: number, ratio?: number): Finding {
  return {
    what,
    unit: 'ms',
    ours: percentile(ours, share),
    ...(peer !== undefined && { peer: { name: 'PM2', value: percentile(peer, share) } }),
    ...(ratio !== undefined && { goal: atMostOfPeer(ratio) }),
  };
}

function beside(what: string, [ours = [], floor = []]: readonly number[][]): Finding {
  return { what, unit: 'ms', ours: median(ours), peer: { name: 'spawn', value: median(floor) } };
}

/** One kill on each side in each round, each round with another first, so that what disturbs the machine disturbs all. */
async function killInTurns(sides: readonly Side[], rounds: number, signal: AbortSignal): Promise<number[][]> {
  const times = sides.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < sides.length; turn += 1) {
      const index = (round + turn) % sides.length;
      const side = sides[index];
      const name = side?.names[round % side.names.length];
      if (side === undefined || name === undefined) continue;
      times[index]?.push(await killAndWait(side.lines, name, signal));
    }
    await pause(signal);
  }
  return times;
}

async function killAllInTurns(sides: readonly Side[], rounds: number, signal: AbortSignal): Promise<number[][]> {
  const times = sides.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { lines, names }] of sides.entries()) {
      const back = lines.nextOfAll(names, signal);
      const killedAtMs = performance.now();
      for (const name of names) killIfAlive(lines.last(name).pid);
      times[index]?.push((await back).atMs - killedAtMs);
      await delay(SETTLE_MS, undefined, { signal });
    }
  }
  return times;
}

function pause(signal: AbortSignal): Promise<void> {
  const { least, most } = PAUSE_MS;
  return delay(least + Math.random() * (most - least), undefined, { signal });
}
