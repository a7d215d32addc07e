import { setTimeout as delay } from 'node:timers/promises';
import { type HostMetrics, rows } from '@muster/contracts';
import { type Bus, openBus, uuidv7 } from '@muster/contracts/bus';
import { startNatsServer } from '@muster/testkit';
import { atMost } from '../finding.ts';
import type { Measure } from '../measure.ts';
import { Muster } from '../muster.ts';
import { cpuOfScrapes, findNodeExporter } from '../node-exporter.ts';
import { loadSamplers, type Samplers } from '../program-parts.ts';
import { mean, percentile } from '../statistics.ts';

const EVERY_MS = 250;
const WARM_UP_TICKS = 10;
/** At 0.12 % of a core, one tick each 10 s. */
const GOAL_MS = 12;

interface Tick {
  readonly samplingMs: number;
  readonly wholeMs: number;
}

export const tick: Measure = {
  name: 'tick',
  includes:
    "CPU (user and system) of one metrics tick: the host and the process trees of real services under their shims sampled, the message validated, encoded and published to a real nats-server, up to the server's acknowledgement; the agent's own code, run in the benchmark's process; beside it one scrape of node_exporter, which looks at the host only",
  async run({ rootDir, services, signal, isQuick, say }) {
    const ticks = isQuick ? 20 : 120;
    await using ours = await Muster.start({ rootDir, services, parts: 'agent', signal });
    await using server = await startNatsServer({ jetstream: false });
    await using bus = openBus({ servers: server.url, environment: 'bench', role: 'agent', id: 'bench' });
    await bus.connected(signal);
    using samplers = await loadSamplers(rootDir);
    const instances = ours.names.map((service) => ({
      service,
      instance: 0,
      pids: [ours.lines.last(service).pid],
    }));
    say(`tick: ${ticks} ticks of ${services} services`);
    const taken: Tick[] = [];
    for (let count = -WARM_UP_TICKS; count < ticks; count += 1) {
      await delay(EVERY_MS, undefined, { signal });
      const one = await takeOne(samplers, instances, bus, count);
      if (count >= 0) taken.push(one);
    }
    const wholeMs = taken.map((one) => one.wholeMs);
    const exporter = await findNodeExporter(rootDir, signal);
    if (exporter.kind === 'found') say(`tick: ${ticks} scrapes of node_exporter`);
    const peerMs = exporter.kind === 'found' ? await cpuOfScrapes(exporter.file, ticks, signal) : undefined;
    return {
      counts: `${services} services, ${ticks} ticks`,
      findings: [
        {
          what: `CPU of a tick, host + ${services} services, mean`,
          unit: 'ms',
          ours: mean(wholeMs),
          ...(peerMs !== undefined && { peer: { name: 'node_exporter', value: peerMs } }),
          goal: atMost(GOAL_MS),
        },
        { what: '  p95', unit: 'ms', ours: percentile(wholeMs, 0.95) },
        { what: '  of it the sampling, mean', unit: 'ms', ours: mean(taken.map((one) => one.samplingMs)) },
      ],
      leftOut: exporter.kind === 'found' ? [] : [exporter.reason],
    };
  },
};

async function takeOne(
  samplers: Samplers,
  instances: Parameters<Samplers['services']['sample']>[0],
  bus: Bus,
  seq: number,
): Promise<Tick> {
  const before = process.cpuUsage();
  const pids = samplers.reader.pids();
  const sample = samplers.host.sample(pids);
  const services = samplers.services.sample(instances, pids);
  if (services.length !== instances.length) throw new Error(`only ${services.length} services were seen`);
  const samplingMs = cpuSinceMs(before);
  const message: HostMetrics = {
    id: uuidv7(),
    time: new Date().toISOString(),
    source: 'agent/bench',
    epoch: 1,
    seq: Math.max(0, seq),
    host: 'bench',
    part: 0,
    parts: 1,
    intervalMs: EVERY_MS,
    sample,
    services: [...services],
  };
  bus.publish(rows.hostMetrics, { host: 'bench' }, message);
  await bus.flush();
  return { samplingMs, wholeMs: cpuSinceMs(before) };
}

function cpuSinceMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
