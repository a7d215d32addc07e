/** What a fleet costs its bus, and where two cores end. */
import { setTimeout as delay } from 'node:timers/promises';
import { keys } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type Bus, openBus } from '@muster/contracts/bus';
import { startNatsServer } from '@muster/testkit';
import { inParallel } from '../bench-bus.ts';
import { atMostOfPeer, type Finding } from '../finding.ts';
import { hostName, messagesOf } from '../fleet/messages.ts';
import type { ReaderReport } from '../fleet/reader.ts';
import type { HostsReport } from '../fleet/simulated-hosts.ts';
import { Worker } from '../fleet/worker.ts';
import type { Measure } from '../measure.ts';
import { readCpuMs, readMemory } from '../processes.ts';

const FLEETS = [1_000, 10_000] as const;
const SERVICES = 20;
const MEGABYTE = 1e6;
/** How much may cost a host in the large fleet, against one in the small. */
const FLAT_RATIO = 1.25;
/** Behind the sender by more than this, a reader does not follow. */
const FOLLOWS_MS = 2_000;
/** Each step is so many times as fast as a real fleet. */
const LOADS = [1, 2, 3, 4, 6, 8] as const;
/** Statuses that are being stored at once. */
const IN_FLIGHT = 256;
/** Enough to see what reading them costs; the rest would take minutes to write. */
const MAX_STATUSES = 50_000;

type HostsMessage = { readonly type: 'connected' } | HostsReport;
type ReaderMessage = { readonly type: 'ready'; readonly afterMs: number; readonly statuses: number } | ReaderReport;

interface Times {
  readonly settleMs: number;
  readonly measureMs: number;
}

interface Cost {
  readonly hosts: number;
  readonly brokerCpuRatio: number;
  readonly readerCpuRatio: number;
  readonly idleRssBytes: number;
  readonly rssBytes: number;
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  /** How much of what was sent the reader has read meanwhile. */
  readonly readRatio: number;
  readonly statuses: number;
  readonly readyMs: number;
  readonly readerRssBytes: number;
  /** The largest load that the reader followed, in real hosts; 0: not even this fleet. */
  readonly followedHosts: number;
  /** Why it went no further. */
  readonly limit: string;
}

export const fleet: Measure = {
  name: 'fleet',
  includes: `simulated hosts × ${SERVICES} services on a real nats-server with JetStream, each with a connection and a subscription of its own, golden messages: a heartbeat each 2 s and metrics each 10 s, both jittered; one reader in a process of its own (contracts' client: all buckets, every heartbeat and metrics message parsed and validated); CPU of broker and reader from /proc, measured while both and the simulator share the machine`,
  async run({ isQuick, signal, say }) {
    const times: Times = isQuick ? { settleMs: 3_000, measureMs: 5_000 } : { settleMs: 12_000, measureMs: 20_000 };
    const costs: Cost[] = [];
    for (const hosts of FLEETS) costs.push(await measureFleet(hosts, times, signal, say));
    const [small, large] = costs as [Cost, Cost];
    return {
      counts: FLEETS.map((hosts) => `${hosts} hosts`).join(', '),
      findings: [...costs.flatMap(findingsOf), ...comparisonOf(small, large)],
      leftOut: [
        'permissions and TLS: the broker of the simulation lets everybody in',
        ...costs.map(
          ({ hosts, followedHosts, limit }) =>
            `${hosts} hosts: followed up to ${followedHosts} hosts' worth of messages; ${limit}`,
        ),
      ],
    };
  },
};

async function measureFleet(
  hosts: number,
  { settleMs, measureMs }: Times,
  signal: AbortSignal,
  say: (text: string) => void,
): Promise<Cost> {
  await using server = await startNatsServer({ config: 'max_connections: 20000' });
  await using bus = openBus({ servers: server.url, environment: 'bench', role: 'admin', id: 'bench' });
  await bus.connected(signal);
  await setupBus(bus);
  const idleRssBytes = readMemory(server.pid).rssBytes;
  const statuses = await storeStatuses(bus, hosts, signal);
  say(`fleet: ${hosts} hosts connect, ${statuses} statuses stored`);
  const args = [String(server.port), String(hosts), String(SERVICES)];
  await using simulator = new Worker<HostsMessage>('simulated-hosts.js', args, signal);
  await simulator.said('connected');
  await using reader = new Worker<ReaderMessage>('reader.js', [server.url], signal);
  const { afterMs: readyMs } = await reader.said('ready', 120_000);
  simulator.tell({ factor: 1 });
  await delay(settleMs, undefined, { signal });

  say(`fleet: ${hosts} hosts, ${measureMs / 1_000} s of them`);
  const look = async () => ({
    atMs: performance.now(),
    brokerCpuMs: readCpuMs(server.pid),
    readerCpuMs: readCpuMs(reader.pid),
    sent: await simulator.said('sent'),
    read: await reader.said('read'),
  });
  const before = await look();
  await delay(measureMs, undefined, { signal });
  const after = await look();
  const tookMs = after.atMs - before.atMs;
  const perSecond = (count: 'messages' | 'bytes') => ((after.sent[count] - before.sent[count]) / tookMs) * 1_000;
  return {
    hosts,
    brokerCpuRatio: (after.brokerCpuMs - before.brokerCpuMs) / tookMs,
    readerCpuRatio: (after.readerCpuMs - before.readerCpuMs) / tookMs,
    idleRssBytes,
    rssBytes: readMemory(server.pid).rssBytes,
    readerRssBytes: readMemory(reader.pid).rssBytes,
    messagesPerSecond: perSecond('messages'),
    bytesPerSecond: perSecond('bytes'),
    readRatio: (after.read.messages - before.read.messages) / (after.sent.messages - before.sent.messages),
    statuses,
    readyMs,
    ...(await findLimit(hosts, { simulator, reader, stepMs: measureMs / 2 }, signal)),
  };
}

/** Faster and faster, until the reader falls behind or the simulator itself does. */
async function findLimit(
  hosts: number,
  { simulator, reader, stepMs }: { simulator: Worker<HostsMessage>; reader: Worker<ReaderMessage>; stepMs: number },
  signal: AbortSignal,
): Promise<Pick<Cost, 'followedHosts' | 'limit'>> {
  let followedHosts = 0;
  for (const factor of LOADS) {
    simulator.tell({ factor });
    // The first half lets timers of the slower pace run out.
    await delay(stepMs / 2, undefined, { signal });
    const deadlineMs = performance.now() + stepMs / 2;
    let [lagMs, lateMs] = [0, 0];
    while (performance.now() < deadlineMs) {
      await delay(500, undefined, { signal });
      const { lagMs: lag, disconnections } = await reader.said('read');
      lagMs = Math.max(lagMs, disconnections > 0 ? Number.POSITIVE_INFINITY : lag);
      lateMs = Math.max(lateMs, (await simulator.said('sent')).lateMs);
    }
    const worth = `${factor} × ${hosts}`;
    if (lateMs > FOLLOWS_MS)
      return { followedHosts, limit: `at ${worth} the simulator itself is ${Math.round(lateMs)} ms late` };
    if (lagMs > FOLLOWS_MS) {
      const how = Number.isFinite(lagMs) ? `${Math.round(lagMs)} ms behind` : 'cut off as a slow consumer';
      return { followedHosts, limit: `at ${worth} the reader is ${how}` };
    }
    followedHosts = factor * hosts;
  }
  return { followedHosts, limit: 'it was not made faster' };
}

/** What agents would have put: one status for each service, up to a bound. */
async function storeStatuses(bus: Bus, hosts: number, signal: AbortSignal): Promise<number> {
  const bucket = bus.kv('status');
  const count = Math.min(hosts * SERVICES, MAX_STATUSES);
  const statuses = Array.from(
    { length: count / SERVICES },
    (_, index) => messagesOf(hostName(index), SERVICES).statuses,
  );
  await inParallel(statuses.flat(), IN_FLIGHT, (status) => {
    signal.throwIfAborted();
    return bucket.put(keys.instance(status.host, status.service, status.instance), status);
  });
  return count;
}

function findingsOf(cost: Cost): readonly Finding[] {
  const { hosts } = cost;
  const named = `${hosts} hosts: `;
  return [
    { what: `${named}broker, of one core`, unit: '%', ours: cost.brokerCpuRatio * 100 },
    { what: '  broker memory', unit: 'MB', ours: cost.rssBytes / MEGABYTE },
    { what: '  messages a second', unit: '', ours: cost.messagesPerSecond },
    { what: '  a host: messages a second', unit: '', ours: cost.messagesPerSecond / hosts },
    { what: '  a host: bytes a second', unit: '', ours: cost.bytesPerSecond / hosts },
    { what: '  the reader has read of them', unit: '%', ours: cost.readRatio * 100 },
    { what: '  reader, of one core', unit: '%', ours: cost.readerCpuRatio * 100 },
    { what: '  reader memory', unit: 'MB', ours: cost.readerRssBytes / MEGABYTE },
    { what: `  reader has read ${cost.statuses} statuses after`, unit: 's', ours: cost.readyMs / 1_000 },
    { what: "  followed up to so many hosts' worth", unit: '', ours: cost.followedHosts },
  ];
}

function comparisonOf(small: Cost, large: Cost): readonly Finding[] {
  const goal = atMostOfPeer(FLAT_RATIO);
  const compare = (what: string, unit: Finding['unit'], of: (cost: Cost) => number): Finding => ({
    what: `a host among ${large.hosts}: ${what}`,
    unit,
    ours: of(large) / large.hosts,
    peer: { name: `among ${small.hosts}`, value: of(small) / small.hosts },
    goal,
  });
  return [
    compare('broker, ms of CPU a second', 'ms', ({ brokerCpuRatio }) => brokerCpuRatio * 1_000),
    compare('broker, kB', '', ({ rssBytes, idleRssBytes }) => (rssBytes - idleRssBytes) / 1e3),
    compare('bytes a second', '', ({ bytesPerSecond }) => bytesPerSecond),
    compare('reader, ms of CPU a second', 'ms', ({ readerCpuRatio }) => readerCpuRatio * 1_000),
  ];
}
