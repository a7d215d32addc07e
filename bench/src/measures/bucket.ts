import { keys } from '@muster/contracts';
import { FleetClient } from '@muster/contracts/client';
import { inParallel, startBenchBus } from '../bench-bus.ts';
import { statusOf } from '../bench-messages.ts';
import { atMost } from '../finding.ts';
import type { Measure } from '../measure.ts';
import { percentile } from '../statistics.ts';

const SERVICES_PER_HOST = 50;
const KEYS = 50_000;
const GOAL_SECONDS = 5;

export const bucket: Measure = {
  name: 'bucket',
  includes:
    'from nothing to a fleet client that has every status: connected, the bucket read from a real nats-server, each value validated, in the process that asks',
  async run({ isQuick, signal, say }) {
    const count = isQuick ? KEYS / 10 : KEYS;
    await using bus = await startBenchBus(signal);
    say(`bucket: writing ${count} keys`);
    const statuses = bus.admin.kv('status');
    const all = Array.from({ length: count }, (_, index) => ({
      host: `host-${Math.floor(index / SERVICES_PER_HOST)}`,
      service: `service-${index % SERVICES_PER_HOST}`,
    }));
    await inParallel(all, 256, ({ host, service }) =>
      statuses.put(keys.instance(host, service, 0), statusOf(host, service)),
    );
    const times: number[] = [];
    for (let round = 0; round < (isQuick ? 2 : 5); round += 1) {
      const startedAtMs = performance.now();
      await using reader = await bus.open('dashboard', 'bench');
      using fleet = new FleetClient({ bus: reader, actor: 'bench' });
      await fleet.ready(signal);
      times.push((performance.now() - startedAtMs) / 1_000);
      const read = fleet.snapshot().status.size;
      if (read !== count) throw new Error(`only ${read} of ${count} keys were read`);
    }
    return {
      counts: `${count} keys, ${times.length} reads`,
      findings: [
        {
          what: `${count} statuses read at start, p50`,
          unit: 's',
          ours: percentile(times, 0.5),
          goal: atMost(GOAL_SECONDS),
        },
        { what: '  the slowest', unit: 's', ours: percentile(times, 1) },
      ],
    };
  },
};
