import { setTimeout as delay } from 'node:timers/promises';
import { atMost, type Finding } from '../finding.ts';
import type { BenchContext, Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { Pm2 } from '../pm2.ts';
import { findProcesses, type Memory, readMemory } from '../processes.ts';
import { median } from '../statistics.ts';

const MEGABYTE = 1e6;
const SAMPLES = 10;
const SAMPLE_EVERY_MS = 1_000;

export const memory: Measure = {
  name: 'memory',
  includes:
    "resident memory of the agent's process with metrics, service logs and bus, beside PM2's daemon, which does less; no forced collection in either; the shims apart: one that runs and two processes that wait for each service",
  async run(context) {
    const settleMs = context.isQuick ? 8_000 : 45_000;
    const one = await take(context, 1, settleMs);
    const many = await take(context, context.services, settleMs);
    const compare = (what: string, { agent, peer }: Taken, of: (taken: Memory) => number): Finding => ({
      what,
      unit: 'MB',
      ours: of(agent) / MEGABYTE,
      ...(peer !== undefined && { peer: { name: 'PM2', value: of(peer) / MEGABYTE } }),
    });
    const peerMore =
      many.peer !== undefined && one.peer !== undefined ? many.peer.rssBytes - one.peer.rssBytes : undefined;
    return {
      counts: `1 and ${context.services} services, median of ${SAMPLES} samples after ${settleMs / 1_000} s`,
      findings: [
        compare('memory with 1 service, RSS', one, ({ rssBytes }) => rssBytes),
        {
          ...compare(`memory with ${context.services} services, RSS`, many, ({ rssBytes }) => rssBytes),
          goal: atMost(70),
        },
        compare(`memory with ${context.services} services, PSS`, many, ({ pssBytes }) => pssBytes),
        {
          what: `memory, ${context.services} services more than 1, RSS`,
          unit: 'MB',
          ours: (many.agent.rssBytes - one.agent.rssBytes) / MEGABYTE,
          ...(peerMore !== undefined && { peer: { name: 'PM2', value: peerMore / MEGABYTE } }),
          goal: atMost(12),
        },
        {
          what: `  ${many.shims.count} shims beside the agent, PSS together`,
          unit: 'MB',
          ours: many.shims.pssBytes / MEGABYTE,
        },
      ],
    };
  },
};

interface Taken {
  readonly agent: Memory;
  readonly peer: Memory | undefined;
  readonly shims: { readonly count: number; readonly pssBytes: number };
}

async function take({ rootDir, pm2, signal, say }: BenchContext, services: number, settleMs: number): Promise<Taken> {
  say(`memory: ${services} ${services === 1 ? 'service' : 'services'}, settling for ${settleMs / 1_000} s`);
  await using ours = await Muster.start({ rootDir, services, parts: 'agent', signal });
  await using peer = Pm2.prepare(pm2, services, signal);
  await peer?.start();
  await delay(settleMs, undefined, { signal });
  const agent: Memory[] = [];
  const daemon: Memory[] = [];
  for (let count = 0; count < SAMPLES; count += 1) {
    agent.push(readMemory(ours.agentPid));
    if (peer !== undefined) daemon.push(readMemory(peer.daemonPid));
    await delay(SAMPLE_EVERY_MS, undefined, { signal });
  }
  return {
    agent: medianOf(agent),
    peer: peer === undefined ? undefined : medianOf(daemon),
    shims: readShims(ours),
  };
}

function medianOf(samples: readonly Memory[]): Memory {
  const medianOfAll = (of: (sample: Memory) => number): number => median(samples.map(of));
  return {
    rssBytes: medianOfAll(({ rssBytes }) => rssBytes),
    pssBytes: medianOfAll(({ pssBytes }) => pssBytes),
    anonymousBytes: medianOfAll(({ anonymousBytes }) => anonymousBytes),
  };
}

/** All that Muster runs beside the agent and the services themselves. */
function readShims(ours: Muster): Taken['shims'] {
  const services = new Set(ours.names.map((name) => ours.lines.last(name).pid));
  const pids = findProcesses(ours.mark).filter((pid) => pid !== ours.agentPid && !services.has(pid));
  const sizes = pids.flatMap((pid) => {
    try {
      return [readMemory(pid).pssBytes];
    } catch {
      // It ended in between.
      return [];
    }
  });
  return { count: sizes.length, pssBytes: sizes.reduce((sum, bytes) => sum + bytes, 0) };
}
