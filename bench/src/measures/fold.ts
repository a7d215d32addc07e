import { type HostMetrics, rows } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';
import { seededRandom } from '@muster/testkit';
import type { Measure } from '../measure.ts';
import { loadCodec, loadDashboardFold } from '../program-parts.ts';
import { simulateHost } from '../simulated-host.ts';
import { median } from '../statistics.ts';

const HOSTS = 1_000;
const SERVICES = 50;
const INTERVAL_SECONDS = 10;
const GOAL_PARSE_US = 120;
const GOAL_CORE_PERCENT = 5;

export const fold: Measure = {
  name: 'fold',
  includes:
    "CPU of one metrics message of 50 services: parsed and validated as the bus does it, then folded into the dashboard's view of 1,000 hosts; the network and what the page is told are left out",
  async run({ rootDir, isQuick, say }) {
    const codec = await loadCodec(rootDir);
    const { emptyFleet, fold: foldFact } = await loadDashboardFold(rootDir);
    const random = seededRandom(1);
    const simulated = simulateHost(SERVICES, () => random.next());
    const messages = Array.from({ length: HOSTS }, (_, index) => encode(`host-${index}`, simulated.look(), codec));
    const rounds = isQuick ? 3 : 10;
    const parseUs: number[] = [];
    const wholeUs: number[] = [];
    let fleet = emptyFleet(0);
    for (let round = 0; round < rounds; round += 1) {
      say(`fold: round ${round + 1} of ${rounds}`);
      parseUs.push(
        perMessageUs(() => messages.forEach((bytes) => codec.decodeMessage(rows.hostMetrics.schema, bytes))),
      );
      wholeUs.push(
        perMessageUs(() => {
          for (const bytes of messages) {
            const decoded = codec.decodeMessage(rows.hostMetrics.schema, bytes);
            if (!decoded.ok) throw new Error('a metrics message could not be read');
            fleet = foldFact(fleet, { kind: 'metrics', metrics: decoded.message }, round * 1_000);
          }
        }),
      );
    }
    const corePercent = ((median(wholeUs) * HOSTS) / INTERVAL_SECONDS / 1e6) * 100;
    return {
      counts: `${HOSTS} messages of ${messages[0]?.length} bytes, ${rounds} rounds`,
      findings: [
        {
          what: `a metrics message of ${SERVICES} services, parsed and validated`,
          unit: 'µs',
          ours: median(parseUs),
          goal: { kind: 'at-most', value: GOAL_PARSE_US },
        },
        {
          what: `${HOSTS} hosts, each ${INTERVAL_SECONDS} s, folded into the fleet: of a core`,
          unit: '%',
          ours: corePercent,
          goal: { kind: 'at-most', value: GOAL_CORE_PERCENT },
        },
      ],
    };
  },
};

type Look = ReturnType<ReturnType<typeof simulateHost>['look']>;

function encode(host: string, { host: sample, services }: Look, codec: Awaited<ReturnType<typeof loadCodec>>) {
  const message: HostMetrics = {
    id: uuidv7(),
    time: new Date().toISOString(),
    source: `agent/${host}`,
    epoch: 1,
    seq: 1,
    host,
    part: 0,
    parts: 1,
    intervalMs: INTERVAL_SECONDS * 1_000,
    sample,
    services: [...services],
  };
  return codec.encodeForStream(rows.hostMetrics, 'metrics', message);
}

function perMessageUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / HOSTS;
}
