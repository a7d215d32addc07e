import { statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rows } from '@muster/contracts';
import { atMost } from '../finding.ts';
import { accountLogs } from '../log-account.ts';
import type { Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { readCpuMs } from '../processes.ts';
import { waitUntil } from '../wait-until.ts';

const KILLS = 3;
const KILL_EVERY_MS = 1_500;
const MEGABYTE = 1e6;

/** A megabyte in lines of 100 bytes, 20 times a second. */
const BURST = (seconds: number) => `chunk=$(yes "$(printf '%099d' 0)" | head -n 10000)
sleep 2
n=0
while [ $n -lt ${20 * seconds} ]; do printf '%s\\n' "$chunk"; n=$((n + 1)); sleep 0.04; done
exec sleep 86400`;

export const logs: Measure = {
  name: 'logs',
  includes:
    'one service that prints some 20 MB/s, far more than its rate, while the agent is killed with −9 and started again; lost is what is neither in the stream nor counted there as a gap (all of it is on the host)',
  async run({ rootDir, signal, isQuick, say }) {
    const seconds = isQuick ? 12 : 30;
    say(`logs: ${seconds} s of 20 MB/s`);
    const options = { rootDir, services: 1, parts: 'agent', serviceBody: BURST(seconds), signal } as const;
    await using ours = await Muster.start(options);
    let slowestLagMs = 0;
    ours.bus.subscribe(rows.hostPresence, { host: ours.host }, ({ eventLoopLagMs }) => {
      slowestLagMs = Math.max(slowestLagMs, eventLoopLagMs);
    });
    const file = path.join(ours.logDir, `${ours.names[0]}.0.stdout.log`);
    const size = () => statSync(file).size;
    await waitUntil(() => size() > MEGABYTE, { what: 'the burst', signal });
    const before = { bytes: size(), cpuMs: readCpuMs(ours.agentPid), atMs: performance.now() };
    await delay(5_000, undefined, { signal });
    const tookS = (performance.now() - before.atMs) / 1_000;
    const cpuMs = readCpuMs(ours.agentPid) - before.cpuMs;
    const writtenBytes = size() - before.bytes;
    for (let kill = 0; kill < KILLS; kill += 1) {
      await ours.killAgent();
      ours.startAgent();
      await delay(KILL_EVERY_MS, undefined, { signal });
    }
    let last = 0;
    await waitUntil(
      () => {
        const isOver = size() === last;
        last = size();
        return isOver;
      },
      { what: 'the end of the burst', signal, timeoutMs: 120_000, pollMs: 2_000 },
    );
    const { written, shipped, missing } = await accountLogs(ours, signal);
    return {
      counts: `${(writtenBytes / tookS / MEGABYTE).toFixed(1)} MB/s written, ${written} lines, ${shipped} of them shipped, ${KILLS} kills`,
      findings: [
        { what: 'log lines lost, or told twice', unit: '', ours: Math.abs(missing), goal: atMost(0) },
        { what: "  the agent's CPU meanwhile", unit: '%', ours: cpuMs / tookS / 10 },
        { what: '  its event loop, at its latest', unit: 'ms', ours: slowestLagMs },
      ],
    };
  },
};
