import { setTimeout as delay } from 'node:timers/promises';
import { atMost } from '../finding.ts';
import type { Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { percentile } from '../statistics.ts';

const SETTLE_MS = 2_000;

export const takeover: Measure = {
  name: 'takeover',
  includes:
    'the agent killed with −9 → exec of the next → its answer to a status command over the bus that all services run under their old pids; PM2 has no such thing: its services are lost or started twice',
  async run({ rootDir, services, signal, isQuick, say }) {
    const rounds = isQuick ? 3 : 15;
    const times: number[] = [];
    let touched = 0;
    await using ours = await Muster.start({ rootDir, services, parts: 'agent', signal });
    const before = new Map((await ours.allRunning()).map(({ service, pid }) => [service, pid]));
    const linesBefore = ours.lines.count;
    for (let round = 0; round < rounds; round += 1) {
      say(`takeover: round ${round + 1} of ${rounds}`);
      await delay(SETTLE_MS, undefined, { signal });
      await ours.killAgent();
      const startedAtMs = performance.now();
      ours.startAgent();
      const adopted = await ours.allRunning();
      times.push(performance.now() - startedAtMs);
      touched += adopted.filter(({ service, pid }) => before.get(service) !== pid).length;
    }
    touched += ours.lines.count - linesBefore;
    return {
      counts: `${services} services, ${rounds} kills`,
      findings: [
        {
          what: `agent killed → all ${services} adopted, p50`,
          unit: 'ms',
          ours: percentile(times, 0.5),
          goal: atMost(500),
        },
        { what: '  the slowest', unit: 'ms', ours: percentile(times, 1) },
        { what: '  services touched', unit: '', ours: touched, goal: atMost(0) },
      ],
    };
  },
};
