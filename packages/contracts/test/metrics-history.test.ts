import {
  BUCKETS_PER_CHUNK,
  type ChunkPlace,
  chunkId,
  commands,
  hostRollups,
  MAX_BUCKETS_PER_CHUNK,
  ROLLUP_BUCKET_SECONDS,
  type RollupColumns,
  type RollupTier,
  serviceRollups,
} from '@muster/contracts';
import { type NatsBus } from '@muster/contracts/bus';
import { FleetClient, type HistoryQuery } from '@muster/contracts/client';
import { type Identity } from '@muster/contracts/keys';
import { TestBus } from '@muster/contracts/testing';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { golden, sample } from './golden.ts';

const HOUR_MS = 3_600_000;
const IDENTITIES = [
  { role: 'admin', id: 'setup' },
  { role: 'agent', id: 'web1' },
  { role: 'dashboard', id: 'main' },
  { role: 'operator', id: 'ada' },
  { role: 'observer', id: 'pager' },
] as const satisfies readonly Identity[];

let testBus: TestBus;
let agent: NatsBus;
let dashboard: NatsBus;
beforeAll(async () => {
  testBus = await TestBus.start(IDENTITIES);
  agent = testBus.open(IDENTITIES[1]);
  dashboard = testBus.open(IDENTITIES[2]);
  await Promise.all([agent.connected(), dashboard.connected()]);
});
afterAll(async () => {
  await Promise.all([agent.drain(), dashboard.drain()]);
  await testBus[Symbol.asyncDispose]();
});

let service = '';
let tests = 0;
beforeEach(() => {
  tests += 1;
  service = `api${tests}`;
});

/** Of the last whole two hours, so that every tier has a bucket that begins here. */
const NOW_MS = Math.floor(Date.now() / (2 * HOUR_MS)) * 2 * HOUR_MS;

function columns(tier: RollupTier, firstMs: number, values: readonly (number | null)[]): RollupColumns {
  const numbers = [...values];
  const series = ['cpu', 'memory'].map((name) => ({
    name,
    unit: name === 'cpu' ? 'ratio' : 'bytes',
    count: values.map((value) => (value === null ? 0 : 1)),
    sum: numbers,
    min: numbers,
    max: numbers,
    last: numbers,
  }));
  const firstBucketAt = new Date(firstMs).toISOString();
  return { tier, firstBucketAt, bucketSeconds: ROLLUP_BUCKET_SECONDS[tier], series };
}

let expectedLastSeq = new Map<string, number>();
beforeEach(() => {
  expectedLastSeq = new Map();
});

/** Tells chunks as an agent does: each behind the one before it. */
async function tell(tier: RollupTier, firstMs: number, values: readonly (number | null)[], of?: 'host'): Promise<void> {
  const chunk = columns(tier, firstMs, values);
  const place: ChunkPlace = { host: 'web1', service: of === 'host' ? undefined : service, tier };
  const message = { ...sample('serviceRollup1m'), ...chunk, id: chunkId(place, chunk.firstBucketAt) };
  const key = `${of} ${tier}`;
  const options = { expectedLastSeq: expectedLastSeq.get(key) ?? 0 };
  const { seq } =
    of === 'host'
      ? await agent.publishOrdered(hostRollups[tier], { host: 'web1' }, message, options)
      : await agent.publishOrdered(serviceRollups[tier], { host: 'web1', service }, message, options);
  expectedLastSeq.set(key, seq);
}

/** The agent answers with what no stream has. */
function answer(chunks: readonly RollupColumns[]): Disposable {
  const reply = commands.series.reply.parse(golden('commands/series.reply'));
  const subscription = agent.respond(commands.series, { host: 'web1' }, async ({ id }) => {
    return { ...reply, commandId: id, chunks: [...chunks] };
  });
  return { [Symbol.dispose]: () => subscription.stop() };
}

function ask(query: Partial<HistoryQuery>, bus = dashboard) {
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  return fleet.history({
    host: 'web1',
    service,
    names: ['cpu'],
    from: new Date(NOW_MS - HOUR_MS),
    to: new Date(NOW_MS),
    width: 60,
    ...query,
  });
}

test('chunks and what the agent has beside them are one series, with gaps as gaps', async () => {
  await tell('1m', NOW_MS - 60 * 60_000, [1, 2, null, 4]);
  await tell('1m', NOW_MS - 45 * 60_000, [5]);
  const open = columns('1m', NOW_MS - 2 * 60_000, [8, 9]);
  // The last of them completed a moment ago: it is told by both.
  using _ = answer([columns('1m', NOW_MS - 45 * 60_000, [5]), open]);
  await agent.flush();
  const history = await ask({});
  expect(history).toMatchObject({ tier: '1m', stepMs: 60_000 });
  expect(history.endMissing).toBeUndefined();
  expect(history.startsAtMs).toHaveLength(60);
  expect(history.startsAtMs[0]).toBe(NOW_MS - HOUR_MS);
  expect(history.series).toHaveLength(1);
  const { name, unit, mean, count } = history.series[0] ?? {};
  expect({ name, unit }).toEqual({ name: 'cpu', unit: 'ratio' });
  const filled = new Map(mean?.flatMap((value, at) => (value === null ? [] : [[at, value] as const])));
  expect([...filled]).toEqual([
    [0, 1],
    [1, 2],
    [3, 4],
    [15, 5],
    [58, 8],
    [59, 9],
  ]);
  expect(count?.reduce((sum, one) => sum + one, 0)).toBe(6);
});

test('in fewer columns the smallest and largest are kept', async () => {
  await tell('1m', NOW_MS - 60 * 60_000, [1, 9, 3, 3]);
  const { stepMs, series } = await ask({ width: 4, names: ['memory'] });
  expect(stepMs).toBe(15 * 60_000);
  expect(series).toMatchObject([{ name: 'memory', min: [1, null, null, null], max: [9, null, null, null] }]);
  expect(series[0]).toMatchObject({ mean: [4, null, null, null], last: [3, null, null, null], count: [4, 0, 0, 0] });
});

test('without an agent it is what the stream has, and says what is missing', async () => {
  await tell('1m', NOW_MS - 10 * 60_000, [1]);
  const history = await ask({});
  expect(history.endMissing).toBe("no agent answers for host 'web1'");
  expect(history.series[0]?.max.filter((value) => value !== null)).toEqual([1]);
});

test('the tier is the coarsest with a bucket for each column', async () => {
  const of = async (hours: number, width: number) =>
    (await ask({ from: new Date(NOW_MS - hours * HOUR_MS), width })).tier;
  expect(await of(24, 800)).toBe('1m');
  expect(await of(30 * 24, 800)).toBe('15m');
  expect(await of(365 * 24, 800)).toBe('2h');
  expect(await of(1, 2)).toBe('15m');
});

test('what a finer tier does not hold any more comes from a coarser one, each time once', async () => {
  await tell('15m', NOW_MS - 4 * HOUR_MS, [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]);
  await tell('1m', NOW_MS - 100 * 60_000, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  const { tier, startsAtMs, series } = await ask({ from: new Date(NOW_MS - 4 * HOUR_MS), width: 240 });
  expect(tier).toBe('1m');
  const mean = series[0]?.mean ?? [];
  const at = (minutes: number) => mean[startsAtMs.indexOf(NOW_MS - minutes * 60_000)];
  expect([at(240), at(225), at(105)]).toEqual([10, 11, 19]);
  // That bucket lasts until 90 minutes before; the finer ones go on from there.
  expect([at(100), at(91), at(90), at(86), at(85)]).toEqual([null, null, 11, 15, null]);
});

test.each([15, BUCKETS_PER_CHUNK['1m'], MAX_BUCKETS_PER_CHUNK])(
  'a chunk of %i buckets is read whole',
  async (buckets) => {
    const values = Array.from({ length: buckets }, (_, at) => at);
    await tell('1m', NOW_MS - (buckets + 10) * 60_000, values);
    await tell('1m', NOW_MS - 10 * 60_000, [99]);
    const { series } = await ask({ from: new Date(NOW_MS - 2 * HOUR_MS), width: 120 });
    expect(series[0]?.max.filter((value) => value !== null)).toEqual([...values, 99]);
  },
);

test('a chunk within the length of the longest behind the end hides none that is told after it', async () => {
  const toMs = NOW_MS - 2 * HOUR_MS;
  await tell('1m', toMs + (MAX_BUCKETS_PER_CHUNK - 1) * 60_000, [99]);
  await tell('1m', toMs - 30 * 60_000, [1]);
  const { series } = await ask({ from: new Date(toMs - HOUR_MS), to: new Date(toMs) });
  expect(series[0]?.max.filter((value) => value !== null)).toEqual([1]);
});

test('a chunk from a clock that ran ahead hides nothing that came after it', async () => {
  await tell('1m', NOW_MS + 500 * HOUR_MS, [99]);
  await tell('1m', NOW_MS - 30 * 60_000, [1]);
  expect((await ask({})).series[0]?.max.filter((value) => value !== null)).toEqual([1]);
});

test('of a host that is gone the end comes from the finer tiers, which have it sooner', async () => {
  await tell('2h', NOW_MS - 8 * HOUR_MS, [1, 2]);
  await tell('15m', NOW_MS - 5 * HOUR_MS, [99, 99, 99, 99, 3, 4]);
  await tell('1m', NOW_MS - 5 * HOUR_MS, [98, 97]);
  await tell('1m', NOW_MS - 3 * HOUR_MS, [5, 6]);
  const history = await ask({ from: new Date(NOW_MS - 24 * HOUR_MS), width: 12 });
  expect(history).toMatchObject({ tier: '2h', stepMs: 2 * HOUR_MS, endMissing: expect.any(String) });
  expect(history.series[0]?.max.slice(-4)).toEqual([1, 2, 6, null]);
  expect(history.series[0]?.count.slice(-4)).toEqual([1, 1, 4, 0]);
});

test('of a host that is gone no bucket is counted by two tiers', async () => {
  await tell('2h', NOW_MS - 6 * HOUR_MS, [1]);
  await tell('1m', NOW_MS - 5 * HOUR_MS, [99, 99]);
  await tell('1m', NOW_MS - 4 * HOUR_MS, [7]);
  const { series } = await ask({ from: new Date(NOW_MS - 24 * HOUR_MS), width: 12 });
  expect(series[0]?.max.slice(-3)).toEqual([1, 7, null]);
  expect(series[0]?.count.slice(-3)).toEqual([1, 1, 0]);
});

test("the host's own series have no service", async () => {
  await tell('1m', NOW_MS - 30 * 60_000, [7], 'host');
  const { service: _service, ...rest } = { service, host: 'web1', names: ['cpu'], width: 60 };
  using fleet = new FleetClient({ bus: dashboard, actor: 'user/ada' });
  const history = await fleet.history({ ...rest, from: new Date(NOW_MS - HOUR_MS), to: new Date(NOW_MS) });
  expect(history.series[0]?.max.filter((value) => value !== null)).toEqual([7]);
});

test('an operator may read it as well, whoever hears only alerts may not', async () => {
  await tell('1m', NOW_MS - 10 * 60_000, [1]);
  await using operator = testBus.open(IDENTITIES[3]);
  await using observer = testBus.open(IDENTITIES[4]);
  await Promise.all([operator.connected(), observer.connected()]);
  expect((await ask({}, operator)).series).toHaveLength(1);
  await expect(ask({}, observer)).rejects.toThrow(/not allowed/);
});

test.each([
  ['an end before the start', { from: new Date(NOW_MS), to: new Date(NOW_MS - 1) }],
  ['one column', { width: 1 }],
])('%s is refused', async (_what, query) => {
  await expect(ask(query)).rejects.toThrow(RangeError);
});
