import { setTimeout as delay } from 'node:timers/promises';
import { atMostOfPeer, type Finding } from '../finding.ts';
import type { BenchContext, Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { Pm2 } from '../pm2.ts';
import { median } from '../statistics.ts';

const PAUSE_MS = 1_000;

export const start: Measure = {
  name: 'start',
  includes:
    'cold: exec of the agent (its bus runs) → all services have written a line and the agent answers that all run, beside `pm2 start` of an ecosystem file with its daemon started by it; warm: start commands over the bus → the same, beside `pm2 start` with the daemon up, its command included',
  async run(context) {
    const rounds = context.isQuick ? 2 : 5;
    const times = await takeTurns(context, rounds);
    const compare = (what: string, oursMs: number[], peerMs: number[]): Finding => ({
      what: `${context.services} services started, ${what}`,
      unit: 'ms',
      ours: median(oursMs),
      ...(peerMs.length > 0 && { peer: { name: 'PM2', value: median(peerMs) } }),
      goal: atMostOfPeer(0.8),
      limitedBy: 'what the agent writes down and tells of each start, and three short programs for each (ADR 0026)',
    });
    return {
      counts: `${context.services} services, median of ${rounds} rounds`,
      findings: [
        compare('from nothing', times.coldMs, times.peerColdMs),
        compare('supervisor up', times.warmMs, times.peerWarmMs),
      ],
    };
  },
};

async function takeTurns({ rootDir, services, pm2, signal, say }: BenchContext, rounds: number) {
  const times = {
    coldMs: [] as number[],
    warmMs: [] as number[],
    peerColdMs: [] as number[],
    peerWarmMs: [] as number[],
  };
  await using ours = await Muster.prepare({ rootDir, services, parts: 'agent', signal });
  await using peer = Pm2.prepare(pm2, services, signal);
  for (let round = 0; round < rounds; round += 1) {
    say(`start: round ${round + 1} of ${rounds}`);
    times.coldMs.push(await ours.startAll());
    await ours.commandAll('stop');
    await ours.allInState('stopped');
    await delay(PAUSE_MS, undefined, { signal });
    times.warmMs.push(await startByCommand(ours, signal));
    await ours.shutDown();

    if (peer === undefined) continue;
    times.peerColdMs.push(await peer.start());
    await peer.deleteAll();
    await delay(PAUSE_MS, undefined, { signal });
    times.peerWarmMs.push(await peer.start());
    await peer.deleteAll();
    await peer.killDaemon();
  }
  return times;
}

async function startByCommand(ours: Muster, signal: AbortSignal): Promise<number> {
  const startedAtMs = performance.now();
  const spoken = ours.lines.nextOfAll(ours.names, signal);
  await Promise.all([ours.commandAll('start'), spoken]);
  await ours.allInState('running');
  return performance.now() - startedAtMs;
}
