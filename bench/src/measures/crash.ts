import { setTimeout as delay } from 'node:timers/promises';
import type { Finding } from '../finding.ts';
import { FirstLines, killAndWait } from '../first-lines.ts';
import { Floor } from '../floor.ts';
import type { BenchContext, Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { Pm2 } from '../pm2.ts';
import { percentile } from '../statistics.ts';

/** Ahead of the peer is the promise; well ahead is what we aim at. */
const AIMED_RATIO = 0.6;
/** The same service again: whatever a supervisor tidies up after a restart is done by then. */
const PAUSE_FOR_ONE_MS = 500;
const PAUSE_FOR_MANY_MS = 30;
const SETTLE_MS = 3_000;

/** One supervisor with its services, in the order in which they are killed. */
interface Side {
  readonly lines: FirstLines;
  readonly names: readonly string[];
}

export const crash: Measure = {
  name: 'crash',
  includes:
    'SIGKILL of the main process of an sh service → the first line of its successor; Muster with its bus, journal, events and metrics, PM2 with nothing more, and the floor (bare spawn in a Node process of its own) killed in turns in the same run',
  async run(context) {
    const rounds = context.isQuick ? { one: 8, many: 30 } : { one: 40, many: 200 };
    const findings = [
      ...(await measure(context, 1, rounds.one)),
      ...(await measure(context, context.services, rounds.many)),
    ];
    return {
      counts: `1 service: ${rounds.one} kills each; ${context.services} services: ${rounds.many} kills each`,
      findings,
    };
  },
};

async function measure(context: BenchContext, services: number, rounds: number): Promise<Finding[]> {
  const { rootDir, signal } = context;
  context.say(`crash: starting ${services} services under Muster, PM2 and a bare spawn`);
  await using ours = await Muster.start({ rootDir, services, parts: 'agent', signal });
  await using peer = await Pm2.prepare({ rootDir, services, signal });
  await peer.start();
  await using floor = new Floor(services);
  await floor.start(signal);
  await delay(SETTLE_MS, undefined, { signal });

  context.say(`crash: killing ${rounds} times each`);
  const pauseMs = services === 1 ? PAUSE_FOR_ONE_MS : PAUSE_FOR_MANY_MS;
  const times = await killInTurns([ours, peer, floor], rounds, pauseMs, signal);
  const [oursMs = [], peerMs = [], floorMs = []] = times;
  const what = `crash → first line, ${services} ${services === 1 ? 'service' : 'services'}`;
  const compare = (share: number): Finding => ({
    what: `${what}, p${share * 100}`,
    unit: 'ms',
    ours: percentile(oursMs, share),
    peer: { name: 'PM2', value: percentile(peerMs, share) },
    ...(services > 1 && share === 0.5 ? { goal: { kind: 'ratio-at-most', ratio: AIMED_RATIO } } : {}),
    ...(services > 1 && share === 0.95 ? { goal: { kind: 'ratio-at-most', ratio: 1 } } : {}),
  });
  const beside: Finding = {
    what: `  beside a bare spawn, p50`,
    unit: 'ms',
    ours: percentile(oursMs, 0.5),
    peer: { name: 'spawn', value: percentile(floorMs, 0.5) },
  };
  return [compare(0.5), compare(0.95), beside];
}

/** One kill on each side in each round, each round with another first, so that what disturbs the machine disturbs all. */
async function killInTurns(
  sides: readonly Side[],
  rounds: number,
  pauseMs: number,
  signal: AbortSignal,
): Promise<number[][]> {
  const times = sides.map((): number[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < sides.length; turn += 1) {
      const index = (round + turn) % sides.length;
      const side = sides[index];
      const name = side?.names[round % side.names.length];
      if (side === undefined || name === undefined) continue;
      times[index]?.push(await killAndWait(side.lines, name, signal));
    }
    await delay(pauseMs, undefined, { signal });
  }
  return times;
}
