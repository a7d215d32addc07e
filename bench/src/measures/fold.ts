import { type HostMetrics, PRESENCE_INTERVAL_MS, type Row, rows } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';
import { seededRandom } from '@muster/testkit';
import { atMost, atMostOfPeer, type Finding } from '../finding.ts';
import { hostName, messagesOf } from '../fleet/messages.ts';
import type { Measure } from '../measure.ts';
import { type Codec, type DashboardFold, loadCodec, loadDashboardFold } from '../program-parts.ts';
import { simulateHost } from '../simulated-host.ts';
import { median } from '../statistics.ts';

const HOSTS = 1_000;
const MANY_HOSTS = 10_000;
const SERVICES = 50;
const INTERVAL_SECONDS = 10;
const GOAL_PARSE_US = 120;
const GOAL_CORE_PERCENT = 5;
/**
 * What a message may cost in the large fleet, against one in the small: no cache holds that one. A fold that copies the map
 * of all hosts costs far more.
 */
const FLAT_RATIO = 2;

export const fold: Measure = {
  name: 'fold',
  includes: `CPU of one metrics message of ${SERVICES} services and of one heartbeat: parsed and validated as the bus does it, then folded into the dashboard's view of ${HOSTS} and of ${MANY_HOSTS} hosts, garbage collection included; the network and what the page is told are left out`,
  async run({ rootDir, isQuick, say }) {
    const codec = await loadCodec(rootDir);
    const dashboard = await loadDashboardFold(rootDir);
    const bytes = encodeMessages(codec);
    const rounds = isQuick ? 2 : 5;
    const measureFleet = (hosts: number) => {
      say(`fold: ${hosts} hosts`);
      return measureCost(hosts, bytes, rounds, codec, dashboard);
    };
    const [few, many] = [measureFleet(HOSTS), measureFleet(MANY_HOSTS)];
    const compare = (what: string, of: (cost: Cost) => number): Finding => ({
      what: `${what} among ${MANY_HOSTS} hosts`,
      unit: 'µs',
      ours: of(many),
      peer: { name: `among ${HOSTS}`, value: of(few) },
      goal: atMostOfPeer(FLAT_RATIO),
    });
    const usPerSecond = HOSTS * (few.metricsUs / INTERVAL_SECONDS + few.heartbeatUs / (PRESENCE_INTERVAL_MS / 1_000));
    return {
      counts: `${MANY_HOSTS} messages of ${bytes.metrics.length} bytes and as many heartbeats, ${rounds} rounds`,
      findings: [
        {
          what: `a metrics message of ${SERVICES} services, parsed and validated`,
          unit: 'µs',
          ours: few.parseUs,
          goal: atMost(GOAL_PARSE_US),
        },
        {
          what: `${HOSTS} hosts with their heartbeats, each ${INTERVAL_SECONDS} s, folded into the fleet: of a core`,
          unit: '%',
          ours: (usPerSecond / 1e6) * 100,
          goal: atMost(GOAL_CORE_PERCENT),
        },
        compare('a metrics message, parsed and folded,', ({ metricsUs }) => metricsUs),
        compare('a heartbeat, parsed and folded,', ({ heartbeatUs }) => heartbeatUs),
      ],
    };
  },
};

/** Of one message. */
interface Cost {
  readonly parseUs: number;
  /** Parsed and folded, as is the heartbeat. */
  readonly metricsUs: number;
  readonly heartbeatUs: number;
}

interface EncodedMessages {
  readonly metrics: Uint8Array;
  readonly heartbeat: Uint8Array;
}

function measureCost(
  hosts: number,
  bytes: EncodedMessages,
  rounds: number,
  codec: Codec,
  { emptyFleet, fold: foldFact }: DashboardFold,
): Cost {
  const fleet = emptyFleet(0);
  let seq = 0;
  /** One message of each host, then the next of each: as many in either fleet. */
  const tell = (
    fact: (position: { readonly host: string; readonly seq: number }) => Parameters<typeof foldFact>[1],
  ) => {
    for (let told = 0; told < MANY_HOSTS; told += hosts) {
      seq += 1;
      for (let index = 0; index < hosts; index += 1) {
        foldFact(fleet, fact({ host: hostName(index), seq }), seq * 1_000);
      }
    }
  };
  const read = (row: Row, message: Uint8Array) => {
    const decoded = codec.decodeMessage(row.schema, message);
    if (!decoded.ok) throw new Error(`a message could not be read as '${row.template}'`);
    return decoded.message as object;
  };
  const costs: Cost[] = [];
  // The first round makes the hosts known and the code compiled.
  for (let round = 0; round <= rounds; round += 1) {
    costs.push({
      parseUs: perMessageUs(() => {
        for (let count = 0; count < MANY_HOSTS; count += 1) read(rows.hostMetrics, bytes.metrics);
      }),
      metricsUs: perMessageUs(() => {
        tell((its) => ({ kind: 'metrics', metrics: { ...read(rows.hostMetrics, bytes.metrics), ...its } }));
      }),
      heartbeatUs: perMessageUs(() => {
        tell((its) => ({ kind: 'host-presence', heartbeat: { ...read(rows.hostPresence, bytes.heartbeat), ...its } }));
      }),
    });
  }
  const medianOf = (of: keyof Cost) => median(costs.slice(1).map((cost) => cost[of]));
  return { parseUs: medianOf('parseUs'), metricsUs: medianOf('metricsUs'), heartbeatUs: medianOf('heartbeatUs') };
}

function encodeMessages(codec: Codec): EncodedMessages {
  const random = seededRandom(1);
  const { host: sample, services } = simulateHost(SERVICES, () => random.next()).look();
  const host = hostName(0);
  const metrics: HostMetrics = {
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
  return {
    metrics: codec.encodeForStream(rows.hostMetrics, 'metrics', metrics),
    heartbeat: codec.encodeForStream(rows.hostPresence, 'heartbeat', messagesOf(host, SERVICES).presence),
  };
}

/** CPU of this process, all its threads, for as many messages as the large fleet has hosts. */
function perMessageUs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / MANY_HOSTS;
}
