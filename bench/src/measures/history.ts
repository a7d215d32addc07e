import {
  type AgentReply,
  BUCKETS_PER_CHUNK,
  buildSubject,
  type ChunkPlace,
  chunkId,
  chunkMsOf,
  commands,
  ENCODING_HEADER,
  ROLLUP_BUCKET_SECONDS,
  type RollupChunk,
  type RollupTier,
  serviceRollups,
} from '@muster/contracts';
import { type Bus, uuidv7 } from '@muster/contracts/bus';
import { readMetricsHistory } from '@muster/contracts/client';
import { seededRandom } from '@muster/testkit';
import { BENCH_ENVIRONMENT, type BenchBus, startBenchBus } from '../bench-bus.ts';
import { atMost, type Finding } from '../finding.ts';
import type { BenchContext, Measure } from '../measure.ts';
import { type Codec, loadCodec } from '../program-parts.ts';
import { openRawNats } from '../raw-nats.ts';
import { percentile } from '../statistics.ts';
import { waitUntil } from '../wait-until.ts';

const HOST = 'bench';
const DAY_MS = 86_400_000;
const MESSAGES = 288_000;
const WIDTH = 800;
const SERIES = ['cpu', 'memory', 'disk.read', 'disk.write', 'threads'] as const;
/** How many messages are sent before the server is asked whether it has them. */
const WINDOW = 2_000;

interface Chart {
  readonly what: string;
  readonly tier: RollupTier;
  readonly lengthMs: number;
  readonly goalMs: number;
}

const CHARTS: readonly Chart[] = [
  { what: '24 h of one service, 1 min', tier: '1m', lengthMs: DAY_MS, goalMs: 150 },
  { what: 'a year of one service, 2 h', tier: '2h', lengthMs: 365 * DAY_MS, goalMs: 500 },
];

export const history: Measure = {
  name: 'history',
  includes: `a chart's five series in ${WIDTH} columns from a stream with as many messages of other services as counted: the agent asked for its end, the stream read, unpacked, validated and downsampled, in the process that asks; warm: the server has read the stream before; cold: nats-server started anew (the kernel's cache stays)`,
  async run(context) {
    const messages = context.isQuick ? MESSAGES / 10 : MESSAGES;
    const findings: Finding[] = [];
    for (const chart of CHARTS) findings.push(...(await measureChart(chart, messages, context)));
    return { counts: `${messages} messages in each tier's stream`, findings };
  },
};

async function measureChart(
  { what, tier, lengthMs, goalMs }: Chart,
  messages: number,
  { rootDir, signal, isQuick, say }: BenchContext,
): Promise<Finding[]> {
  await using bus = await startBenchBus(signal);
  const chunks = Math.ceil(lengthMs / chunkMsOf(tier));
  const services = Math.ceil(messages / chunks);
  say(`history: filling ${services} services with ${chunks} chunks each`);
  await fill(bus, await loadCodec(rootDir), { tier, chunks, services, signal });
  await using agent = await bus.open('agent', HOST);
  answerSeries(agent);
  await agent.flush();

  await using reader = await bus.open('dashboard', 'bench');
  const ask = async (service: number) => {
    const to = new Date();
    const startedAtMs = performance.now();
    const query = {
      host: HOST,
      service: `service-${service}`,
      from: new Date(to.getTime() - lengthMs),
      to,
      width: WIDTH,
    };
    const chart = await readMetricsHistory({ bus: reader, actor: 'bench' }, query, signal);
    const tookMs = performance.now() - startedAtMs;
    const filled = chart.series[0]?.count.filter((count) => count > 0).length ?? 0;
    if (chart.series.length !== SERIES.length || filled < chart.startsAtMs.length * 0.9) {
      throw new Error(`a chart of ${what} has ${chart.series.length} series and ${filled} filled columns`);
    }
    return tookMs;
  };
  const rounds = isQuick ? 5 : 40;
  const warm: number[] = [];
  for (let round = 0; round < rounds; round += 1) warm.push(await ask((round * 37) % services));
  const cold: number[] = [];
  for (let round = 0; round < (isQuick ? 1 : 3); round += 1) {
    await bus.server.restart();
    await Promise.all([reader, agent].map((one) => one.connected(signal)));
    await agent.flush();
    cold.push(await ask((round * 53 + 11) % services));
  }
  const goal = atMost(goalMs);
  return [
    { what: `${what}, warm, p50`, unit: 'ms', ours: percentile(warm, 0.5), goal },
    { what: '  p95', unit: 'ms', ours: percentile(warm, 0.95) },
    { what: '  cold, the slowest', unit: 'ms', ours: percentile(cold, 1) },
  ];
}

function answerSeries(agent: Bus): void {
  agent.respond(
    commands.series,
    { host: HOST },
    async ({ id }): Promise<AgentReply<'series'>> => ({
      id: uuidv7(),
      time: new Date().toISOString(),
      source: `agent/${HOST}`,
      commandId: id,
      accepted: true,
      code: 'ok',
      reason: '',
      chunks: [],
    }),
  );
}

interface Filling {
  readonly tier: RollupTier;
  readonly chunks: number;
  readonly services: number;
  readonly signal: AbortSignal;
}

/** In the order in which agents tell them: one chunk of every service, then the next. */
async function fill(bus: BenchBus, codec: Codec, { tier, chunks, services, signal }: Filling): Promise<void> {
  await using raw = await openRawNats(bus.server.url, ENCODING_HEADER);
  const row = serviceRollups[tier];
  const random = seededRandom(1);
  const endMs = Math.floor(Date.now() / chunkMsOf(tier)) * chunkMsOf(tier);
  let sent = 0;
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const message = makeChunk(tier, endMs - (chunks - chunk) * chunkMsOf(tier), () => random.next());
    for (let index = 0; index < services; index += 1) {
      const place = { host: HOST, service: `service-${index}` };
      const id = chunkId({ ...place, tier }, message.firstBucketAt);
      const payload = codec.encodeForStream(row, 'chunk', { ...message, id });
      const subject = buildSubject(BENCH_ENVIRONMENT, row.template, place);
      raw.send(subject, payload, 'deflate');
      sent += 1;
      if (sent % WINDOW === 0) await raw.flush();
    }
    signal.throwIfAborted();
  }
  await raw.flush();
  await waitUntil(async () => (await bus.stored(`rollup-${tier}`)).messages === sent, {
    what: `${sent} messages stored`,
    signal,
    pollMs: 100,
  });
}

function makeChunk(tier: RollupTier, firstMs: number, random: () => number): RollupChunk {
  const firstBucketAt = new Date(firstMs).toISOString();
  const place: ChunkPlace = { host: HOST, service: 'service', tier };
  const column = () => Array.from({ length: BUCKETS_PER_CHUNK[tier] }, () => Math.round(random() * 10_000) / 10_000);
  return {
    id: chunkId(place, firstBucketAt),
    time: firstBucketAt,
    source: `agent/${HOST}`,
    epoch: 1,
    seq: 1,
    tier,
    firstBucketAt,
    bucketSeconds: ROLLUP_BUCKET_SECONDS[tier],
    series: SERIES.map((name) => ({
      name,
      unit: 'ratio',
      count: Array.from({ length: BUCKETS_PER_CHUNK[tier] }, () => 6),
      sum: column(),
      min: column(),
      max: column(),
      last: column(),
    })),
  };
}
