import path from 'node:path';
import {
  chunkId,
  chunkMsOf,
  hostRollups,
  ROLLUP_TIERS,
  type RollupChunk,
  rows,
  serviceRollups,
} from '@muster/contracts';
import { messageIdOf } from '@muster/contracts/bus';
import { seededRandom } from '@muster/testkit';
import { type BenchBus, inParallel, startBenchBus } from '../bench-bus.ts';
import { eventOf } from '../bench-messages.ts';
import { atMost, type Finding } from '../finding.ts';
import type { Measure } from '../measure.ts';
import { loadParseLine, loadRollup, type RollupChunkPart, type RollupParts } from '../program-parts.ts';
import { simulateHost } from '../simulated-host.ts';
import { median } from '../statistics.ts';
import { storeLogs } from '../stored-logs.ts';

const SERVICES = 50;
const HOST = 'bench';
const INTERVAL_MS = 10_000;
const DAY_MS = 86_400_000;
const GOAL_MEGABYTES = 2;
const EVENTS = 2_000;
const SAVES = 20;
/** A service that prints now and then, one that prints all the time, and full messages. */
const LINES_PER_MESSAGE = [1, 10, 400] as const;
const START_MS = Date.parse('2026-03-01T00:00:00.000Z');

export const storage: Measure = {
  name: 'storage',
  includes:
    "bytes of a real nats-server's streams by its own count, subjects and headers included, which is what their size bounds; chunks made by the agent's own code from a look each 10 s at a simulated host (of ten services two are busy, five work now and then, three wait), sent through the bus layer",
  async run({ rootDir, signal, isQuick, say }) {
    const days = isQuick ? 2 : 5;
    await using bus = await startBenchBus(signal);
    const parts = await loadRollup(rootDir);
    say(`storage: ${days} days of ${SERVICES} services`);
    const { series, lookUs, saveMs } = await tellDays(bus, parts, days, signal);
    const findings: Finding[] = [];
    let dayBytes = 0;
    for (const tier of ROLLUP_TIERS) {
      const { messages, bytes } = await bus.stored(`rollup-${tier}`);
      const chunksPerDay = ((SERVICES + 1) * DAY_MS) / chunkMsOf(tier);
      const bytesPerDay = (bytes / messages) * chunksPerDay;
      dayBytes += bytesPerDay;
      findings.push({ what: `  of it the tier ${tier}`, unit: 'kB', ours: bytesPerDay / 1e3 });
    }
    return {
      counts: `${series} series: ${SERVICES} services and their host, ${days} days`,
      findings: [
        {
          what: `history of a host for a day, ${series} series`,
          unit: 'MB',
          ours: dayBytes / 1e6,
          goal: atMost(GOAL_MEGABYTES),
          limitedBy:
            "one message a service: of each, some 170 bytes are its subject, its headers and the server's own, and some 130 the names and times of a chunk whose values never change",
        },
        ...findings,
        { what: 'a look added to the history, median', unit: 'µs', ours: lookUs },
        { what: 'the history saved, as each minute, median', unit: 'ms', ours: saveMs },
        { what: 'one event', unit: 'kB', ours: (await bytesOfEvent(bus)) / 1e3 },
        ...(await findLogs(bus, rootDir)),
      ],
    };
  },
};

interface Told {
  readonly series: number;
  /** One look: read from the samples, added to its buckets. */
  readonly lookUs: number;
  /** What an agent does each minute. */
  readonly saveMs: number;
}

async function tellDays(bus: BenchBus, parts: RollupParts, days: number, signal: AbortSignal): Promise<Told> {
  const random = seededRandom(1);
  const simulated = simulateHost(SERVICES, () => random.next());
  const rollup = new parts.Rollup(0);
  const lastSeq = new Map<string, number>();
  const names = new Set<string>();
  const looks: number[] = [];
  let seq = 0;
  // Up to the last look before chunks end: what is saved is never more.
  for (let atMs = START_MS; atMs < START_MS + days * DAY_MS; atMs += INTERVAL_MS) {
    const { host, services } = simulated.look();
    const startedAtMs = performance.now();
    const measured = new Map([['', parts.measureHost(host)]]);
    for (const sample of services) measured.set(sample.service, parts.measureService([sample]));
    const { chunks } = rollup.add(atMs, measured);
    looks.push((performance.now() - startedAtMs) * 1_000);
    if (chunks.length === 0) continue;
    signal.throwIfAborted();
    for (const { subject, series } of chunks) for (const { name } of series) names.add(`${subject} ${name}`);
    await inParallel(chunks, 64, async (chunk) => {
      seq += 1;
      await tell(bus, chunk, seq, lastSeq);
    });
  }
  const saves = Array.from({ length: SAVES }, () => {
    const startedAtMs = performance.now();
    parts.saveRollup(path.join(bus.directory, 'rollups.json'), rollup.memory);
    return performance.now() - startedAtMs;
  });
  return { series: names.size, lookUs: median(looks), saveMs: median(saves) };
}

async function tell(
  { admin }: BenchBus,
  { subject, tier, firstBucketMs, bucketMs, series }: RollupChunkPart,
  seq: number,
  lastSeq: Map<string, number>,
): Promise<void> {
  const firstBucketAt = new Date(firstBucketMs).toISOString();
  const message: RollupChunk = {
    id: chunkId({ host: HOST, service: subject === '' ? undefined : subject, tier }, firstBucketAt),
    time: new Date(firstBucketMs + chunkMsOf(tier)).toISOString(),
    source: `agent/${HOST}`,
    epoch: 1_772_366_400,
    seq,
    tier,
    firstBucketAt,
    bucketSeconds: bucketMs / 1_000,
    series,
  };
  const lane = `${tier} ${subject}`;
  const options = { expectedLastSeq: lastSeq.get(lane) ?? 0, messageId: messageIdOf('', lane, message.id) };
  const stored =
    subject === ''
      ? await admin.publishOrdered(hostRollups[tier], { host: HOST }, message, options)
      : await admin.publishOrdered(serviceRollups[tier], { host: HOST, service: subject }, message, options);
  lastSeq.set(lane, stored.seq);
}

async function findLogs(bus: BenchBus, rootDir: string): Promise<Finding[]> {
  const parseLine = await loadParseLine(rootDir);
  const random = seededRandom(1);
  const findings: Finding[] = [];
  for (const lines of LINES_PER_MESSAGE) {
    const { writtenBytes, storedBytes } = await storeLogs(bus, parseLine, () => random.next(), lines);
    const what = `1,000 log lines of ${Math.round(writtenBytes)} bytes, ${lines} in a message`;
    findings.push({ what, unit: 'kB', ours: storedBytes });
  }
  return findings;
}

async function bytesOfEvent(bus: BenchBus): Promise<number> {
  const params = { host: HOST, service: 'service-1', instance: 0 };
  const reason = 'exited with code 1 after 12 s: restarting in 1 s (2 of 10 restarts in 10 min)';
  let expectedLastSeq = 0;
  for (let seq = 1; seq <= EVENTS; seq += 1) {
    const event = eventOf(HOST, params.service, seq, reason);
    const options = { expectedLastSeq, messageId: messageIdOf('', params.service, event.id) };
    ({ seq: expectedLastSeq } = await bus.admin.publishOrdered(rows.instanceEvent, params, event, options));
  }
  const { messages, bytes } = await bus.stored('events');
  return bytes / messages;
}
