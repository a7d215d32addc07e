/**
 * The history of metrics: any series over any time, from the tier that fits, in as many columns as a chart is wide. What
 * a finer tier does not hold any more comes from a coarser one, and what no stream has yet from the agent; of one that does
 * not answer, the end comes from the finer tiers, whose chunks are complete sooner.
 */
import type { Bus } from '../bus/bus.ts';
import {
  MAX_BUCKETS_PER_CHUNK,
  ROLLUP_BUCKET_SECONDS,
  ROLLUP_TIERS,
  type RollupColumns,
  type RollupTier,
} from '../messages/metrics.ts';
import { type ChunkPlace, hostRollups, serviceRollups } from '../rollups.ts';
import { type ChartSeries, collectBuckets, downsample, frameOf, type SeriesBuckets } from './downsample.ts';
import { FleetCommands } from './fleet-commands.ts';

export interface HistoryQuery {
  readonly host: string;
  /** Whose series; without it the host's own. */
  readonly service?: string;
  /** Which series; default all. */
  readonly names?: readonly string[];
  readonly from: Date;
  readonly to: Date;
  /** How many columns at most; two or more. */
  readonly width: number;
}

export interface MetricsHistory {
  /** The finest tier that was read. */
  readonly tier: RollupTier;
  /** How long a column is. */
  readonly stepMs: number;
  /** When each column begins. */
  readonly startsAtMs: readonly number[];
  readonly series: readonly ChartSeries[];
  /** Why what no stream has yet is missing at the end; absent when it is not. */
  readonly endMissing?: string;
}

export interface MetricsHistoryOptions {
  readonly bus: Bus;
  /** Who asks, for the audit: a person or a program. */
  readonly actor: string;
}

/** The stream has the rest of the chart: an agent that is slow to tell its end delays it no longer than this. */
const AGENT_TIMEOUT_MS = 2_000;
/** A host's clock and the server's may be apart so much; what is further off is read, but may be missed at the start. */
const CLOCK_SKEW_MS = 10 * 60_000;

type TierQuery = Pick<HistoryQuery, 'host' | 'service' | 'names'> & { readonly tier: RollupTier };

type Found = ReadonlyMap<string, SeriesBuckets>;

/** @throws what reading a stream throws; RangeError when the query is none */
export async function readMetricsHistory(
  { bus, actor }: MetricsHistoryOptions,
  query: HistoryQuery,
  signal?: AbortSignal,
): Promise<MetricsHistory> {
  const { from, to, width } = query;
  const [fromMs, toMs] = [from.getTime(), to.getTime()];
  if (!(fromMs < toMs) || !(width >= 2)) {
    const asked = `from ${from.toISOString()} to ${to.toISOString()} in ${width} columns`;
    throw new RangeError(`cannot read history ${asked}: the end must be behind the start, the columns two or more`);
  }
  const tier = tierFor((toMs - fromMs) / width);
  const frame = frameOf(fromMs, toMs, Math.floor(width), ROLLUP_BUCKET_SECONDS[tier] * 1_000);
  // The agent first: a chunk that it completes meanwhile is in the stream by the time that is read.
  const end = await readEnd(new FleetCommands({ bus, actor, timeoutMs: AGENT_TIMEOUT_MS }), query, tier, signal);
  const stretch = { fromMs: frame.fromMs, toMs };
  const told = await readTiers(bus, { ...query, tier }, stretch, end.chunks, signal);
  const found = end.missing === undefined ? told : await withNewer(bus, { ...query, tier }, told, stretch, signal);
  return {
    tier,
    stepMs: frame.stepMs,
    startsAtMs: Array.from({ length: frame.columns }, (_, column) => frame.fromMs + column * frame.stepMs),
    series: [...found].map(([name, series]) => downsample(name, series, frame)),
    ...(end.missing !== undefined && { endMissing: end.missing }),
  };
}

/** The coarsest tier that still has a bucket for each column. */
function tierFor(columnMs: number): RollupTier {
  return ROLLUP_TIERS.findLast((tier) => ROLLUP_BUCKET_SECONDS[tier] * 1_000 <= columnMs) ?? '1m';
}

async function readEnd(
  commands: FleetCommands,
  { host, service }: HistoryQuery,
  tier: RollupTier,
  signal: AbortSignal | undefined,
): Promise<{ chunks: readonly RollupColumns[]; missing?: string }> {
  const told = await commands.ask(host, 'series', { tier, ...(service && { service }) }, { signal });
  if (told.outcome === 'accepted') return { chunks: told.reply.chunks };
  return { chunks: [], missing: told.reason };
}

interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What one tier holds, and before its oldest bucket what the coarser ones do. */
async function readTiers(
  bus: Bus,
  query: TierQuery,
  { fromMs, toMs }: Stretch,
  end: readonly RollupColumns[],
  signal: AbortSignal | undefined,
): Promise<Found> {
  const stored = await readChunks(bus, query, { fromMs, toMs }, signal);
  const chunks = [...stored, ...end];
  const found = collectBuckets(chunks, { fromMs, toMs, names: query.names });
  const oldestMs = startOf(found, toMs);
  const coarser = ROLLUP_TIERS[ROLLUP_TIERS.indexOf(query.tier) + 1];
  if (coarser === undefined) return found;
  const coarserMs = ROLLUP_BUCKET_SECONDS[coarser] * 1_000;
  if (oldestMs - fromMs < coarserMs) return found;
  const older = await readTiers(bus, { ...query, tier: coarser }, { fromMs, toMs: oldestMs }, [], signal);
  // The last of the older buckets may reach into the finer ones.
  const untilMs = endOf(older, coarserMs, fromMs);
  return joined(older, collectBuckets(chunks, { fromMs: untilMs, toMs, names: query.names }));
}

/** `found` of one tier, and behind its newest bucket what the finer ones hold. */
async function withNewer(
  bus: Bus,
  query: TierQuery,
  found: Found,
  { fromMs, toMs }: Stretch,
  signal: AbortSignal | undefined,
): Promise<Found> {
  const finer = ROLLUP_TIERS[ROLLUP_TIERS.indexOf(query.tier) - 1];
  if (finer === undefined) return found;
  const rest = { fromMs: endOf(found, ROLLUP_BUCKET_SECONDS[query.tier] * 1_000, fromMs), toMs };
  const stored = await readChunks(bus, { ...query, tier: finer }, rest, signal);
  const newer = collectBuckets(stored, { ...rest, names: query.names });
  return joined(found, await withNewer(bus, { ...query, tier: finer }, newer, rest, signal));
}

/** When the oldest bucket begins; `latestMs` when there is none before. */
function startOf(found: Found, latestMs: number): number {
  let startMs = latestMs;
  for (const { buckets } of found.values()) for (const atMs of buckets.keys()) startMs = Math.min(startMs, atMs);
  return startMs;
}

/** When the newest bucket ends; `earliestMs` when there is none behind. */
function endOf(found: Found, bucketMs: number, earliestMs: number): number {
  let endMs = earliestMs;
  for (const { buckets } of found.values()) for (const atMs of buckets.keys()) endMs = Math.max(endMs, atMs + bucketMs);
  return endMs;
}

/** Of the same series, buckets of different times. */
function joined(older: Found, newer: Found): Found {
  const all = new Map(newer);
  for (const [name, { unit, buckets }] of older) {
    all.set(name, { unit, buckets: new Map([...buckets, ...(newer.get(name)?.buckets ?? [])]) });
  }
  return all;
}

async function readChunks(
  bus: Bus,
  { host, service, tier }: ChunkPlace,
  { fromMs, toMs }: Stretch,
  signal: AbortSignal | undefined,
): Promise<readonly RollupColumns[]> {
  const options = {
    startTime: new Date(fromMs - CLOCK_SKEW_MS),
    isEnough: (chunk: RollupColumns, storedAt: Date) => isBehind(chunk, toMs, storedAt),
    ...(signal && { signal }),
  };
  const stored =
    service === undefined
      ? await bus.history(hostRollups[tier], { host }, options)
      : await bus.history(serviceRollups[tier], { host, service }, options);
  return stored.map(({ message }) => message);
}

/** A chunk that is itself behind the end, and is so by no clock that ran ahead: nothing earlier follows it. */
function isBehind({ tier, firstBucketAt }: RollupColumns, toMs: number, storedAt: Date): boolean {
  const firstMs = Date.parse(firstBucketAt);
  const longestMs = MAX_BUCKETS_PER_CHUNK * ROLLUP_BUCKET_SECONDS[tier] * 1_000;
  return firstMs >= toMs + longestMs && firstMs <= storedAt.getTime() + CLOCK_SKEW_MS;
}
