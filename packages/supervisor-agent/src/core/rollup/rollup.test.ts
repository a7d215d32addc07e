import {
  BUCKETS_PER_CHUNK,
  type HostSample,
  MAX_BUCKETS_PER_CHUNK,
  ROLLUP_BUCKET_SECONDS,
  ROLLUP_TIERS,
  type RollupTier,
} from '@muster/contracts';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { HOST, type Subject } from './bucket.ts';
import type { Chunk } from './chunk.ts';
import { ClosedSpans } from './closed-spans.ts';
import { type Measurement, measureHost, measureService } from './kept-series.ts';
import { Rollup } from './rollup.ts';

const seed = Number(process.env.MUSTER_TEST_SEED ?? Date.now() % 1_000_000_007);
console.log(`rollup properties: MUSTER_TEST_SEED=${seed}`);

const START_MS = Date.parse('2026-03-01T11:58:30.000Z');
const LATER_MS = Date.parse('2026-06-01T00:00:00.000Z');

/** One look: so long after the one before it, and what it saw of each subject. */
interface Look {
  readonly gapMs: number;
  readonly seen: Readonly<Record<Subject, number>>;
}

const seen = fc.dictionary(fc.constantFrom(HOST, 'api', 'db'), fc.integer({ min: -500, max: 500 }), {
  noNullPrototype: true,
});
/** Mostly the usual interval; now and then a pause of minutes, hours or days. */
const forward = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 1_000, max: 20_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 60_000, max: 4_000_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 4_000_000, max: 200_000_000 }) },
);
const looks = fc.array(fc.record({ gapMs: forward, seen }), { maxLength: 250 });
const jumpyLooks = fc.array(
  fc.record({
    gapMs: fc.oneof(
      { weight: 3, arbitrary: forward },
      forward.map((ms) => -ms),
    ),
    seen,
  }),
  { maxLength: 250 },
);

const phase = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

function measured(values: Look['seen']): ReadonlyMap<Subject, readonly Measurement[]> {
  return new Map(Object.entries(values).map(([subject, value]) => [subject, [{ name: 'cpu', unit: 'ratio', value }]]));
}

/** Every bucket of some chunks, by tier, subject and time. */
function bucketsOf(chunks: readonly Chunk[]): Map<string, readonly (number | null)[]> {
  const found = new Map<string, readonly (number | null)[]>();
  for (const { tier, subject, firstBucketMs, bucketMs, series } of chunks) {
    for (const { count, sum, min, max, last } of series) {
      expect(count.length).toBeLessThanOrEqual(BUCKETS_PER_CHUNK[tier]);
      for (const [at, n] of count.entries()) {
        const values = [sum, min, max, last].map((column) => column[at] ?? null);
        expect(values.includes(null), 'null where nothing was measured').toBe(n === 0);
        if (n === 0) continue;
        const key = `${tier} '${subject}' ${new Date(firstBucketMs + at * bucketMs).toISOString()}`;
        expect(found.has(key), `${key} is told once`).toBe(false);
        found.set(key, [n, ...values]);
      }
    }
  }
  return found;
}

/** The same, computed from the looks at once. */
function naively(all: readonly { readonly atMs: number; readonly seen: Look['seen'] }[], tier: RollupTier) {
  const bucketMs = ROLLUP_BUCKET_SECONDS[tier] * 1_000;
  const values = new Map<string, number[]>();
  for (const { atMs, seen } of all) {
    const at = new Date(atMs - (atMs % bucketMs)).toISOString();
    for (const [subject, value] of Object.entries(seen)) {
      const key = `${tier} '${subject}' ${at}`;
      values.set(key, [...(values.get(key) ?? []), value]);
    }
  }
  const onTheWire = (value: number) => Number(value.toPrecision(3));
  return new Map(
    [...values].map(([key, list]) => {
      const sum = list.reduce((total, value) => total + value, 0);
      return [key, [list.length, onTheWire(sum), Math.min(...list), Math.max(...list), list.at(-1) ?? null]] as const;
    }),
  );
}

function timed(all: readonly Look[]) {
  let atMs = START_MS;
  return all.map(({ gapMs, seen }) => {
    atMs += gapMs;
    return { atMs, seen };
  });
}

test('in every tier each bucket is what its looks say, told once', () => {
  fc.assert(
    fc.property(looks, phase, (all, phase) => {
      const rollup = new Rollup(phase);
      const chunks = timed(all).flatMap(({ atMs, seen }) => rollup.add(atMs, measured(seen)).chunks);
      chunks.push(...rollup.add(LATER_MS + 200_000_000 * all.length, new Map()).chunks);
      const found = bucketsOf(chunks);
      const expected = ROLLUP_TIERS.flatMap((tier) => [...naively(timed(all), tier)]);
      expect(found).toEqual(new Map(expected));
      expect(rollup.late).toBe(0);
    }),
    { seed },
  );
});

test('at any time complete and open chunks together are all that was seen', () => {
  fc.assert(
    fc.property(looks, phase, fc.constantFrom(...ROLLUP_TIERS), (all, phase, tier) => {
      const rollup = new Rollup(phase);
      const chunks = timed(all).flatMap(({ atMs, seen }) => rollup.add(atMs, measured(seen)).chunks);
      const open = [HOST, 'api', 'db'].flatMap((subject) => rollup.open(tier, subject) ?? []);
      const found = bucketsOf([...chunks.filter((chunk) => chunk.tier === tier), ...open]);
      expect(found).toEqual(new Map(naively(timed(all), tier)));
    }),
    { seed },
  );
});

test('whatever the wall clock does, no bucket is told twice, and what could not be kept is counted', () => {
  fc.assert(
    fc.property(jumpyLooks, phase, (all, phase) => {
      const rollup = new Rollup(phase);
      const chunks = timed(all).flatMap(({ atMs, seen }) => rollup.add(atMs, measured(seen)).chunks);
      chunks.push(...rollup.add(LATER_MS + 200_000_000 * all.length, new Map()).chunks);
      const counted = [...bucketsOf(chunks)].filter(([key]) => key.startsWith("1m 'api'"));
      const kept = counted.reduce((sum, [, [count]]) => sum + (count ?? 0), 0);
      const looked = all.filter(({ seen }) => 'api' in seen).length;
      expect(kept).toBeLessThanOrEqual(looked);
      expect(kept + rollup.late).toBeGreaterThanOrEqual(looked);
    }),
    { seed },
  );
});

test('a clock that jumped ahead and is put right goes on at once, behind what was closed before', () => {
  const rollup = new Rollup(0);
  const look = (time: string) => rollup.add(Date.parse(`2026-03-01T${time}Z`), measured({ [HOST]: 1 })).chunks;
  for (const time of ['11:50:00', '11:51:00', '23:00:00']) look(time);
  const wrong = look('11:52:00');
  expect(wrong.filter(({ tier }) => tier === '1m').map(({ firstBucketMs }) => new Date(firstBucketMs))).toEqual([
    new Date('2026-03-01T23:00:00Z'),
  ]);
  look('11:51:30');
  expect(rollup.late).toBe(1);
  expect(rollup.open('1m', HOST)?.series[0]?.count).toEqual([1]);
});

test('restored in the middle of a chunk, nothing is different', () => {
  fc.assert(
    fc.property(jumpyLooks, phase, fc.nat(250), (all, phase, stop) => {
      const straight = new Rollup(phase);
      let other = new Rollup(phase);
      for (const [index, { atMs, seen }] of timed(all).entries()) {
        if (index === stop) other = new Rollup(phase, structuredClone(other.state));
        expect(other.add(atMs, measured(seen))).toEqual(straight.add(atMs, measured(seen)));
      }
      for (const tier of ROLLUP_TIERS) expect(other.open(tier, 'api')).toEqual(straight.open(tier, 'api'));
    }),
    { seed, numRuns: 50 },
  );
});

test('restored where chunks end at other times, as after an update: each bucket is told once all the same', () => {
  fc.assert(
    fc.property(looks, phase, phase, fc.nat(250), (all, phase, otherPhase, stop) => {
      let rollup = new Rollup(phase);
      const chunks: Chunk[] = [];
      for (const [index, { atMs, seen }] of timed(all).entries()) {
        if (index === stop) rollup = new Rollup(otherPhase, structuredClone(rollup.state));
        chunks.push(...rollup.add(atMs, measured(seen)).chunks);
      }
      chunks.push(...rollup.add(LATER_MS + 200_000_000 * all.length, new Map()).chunks);
      const expected = ROLLUP_TIERS.flatMap((tier) => [...naively(timed(all), tier)]);
      expect(bucketsOf(chunks)).toEqual(new Map(expected));
    }),
    { seed, numRuns: 50 },
  );
});

test.each([
  ['1m', 0, '12:00', '12:30'],
  ['1m', 0.5, '12:15', '12:45'],
  ['15m', 0.25, '13:00', '17:00'],
  ['2h', 0.75, '18:00', '18:00'],
] as const)('chunks of %s end at %s of their length, whole ones are as long as they may be', (tier, phase, ...ends) => {
  const rollup = new Rollup(phase);
  const ended: [at: string, buckets: number][] = [];
  for (let minute = 0; minute < 3 * 1_440; minute += 1) {
    const atMs = Date.parse('2026-03-01T00:00:00.000Z') + minute * 60_000;
    for (const chunk of rollup.add(atMs, measured({ api: 1 })).chunks) {
      const at = new Date(atMs).toISOString().slice(11, 16);
      if (chunk.tier === tier) ended.push([at, chunk.series[0]?.count.length ?? 0]);
    }
  }
  const whole = ended.slice(1);
  expect(whole.map(([, buckets]) => buckets)).toEqual(whole.map(() => BUCKETS_PER_CHUNK[tier]));
  expect(whole.map(([at]) => at)).toEqual(expect.arrayContaining(ends));
  expect(BUCKETS_PER_CHUNK[tier]).toBeLessThanOrEqual(MAX_BUCKETS_PER_CHUNK);
});

test('what counts as closed covers all that was ever closed, in a bounded list', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5_000), { maxLength: 200 }), (minutes) => {
      const spans = new ClosedSpans(60_000);
      for (const minute of minutes) spans.add(minute * 60_000);
      expect(minutes.every((minute) => spans.has(minute * 60_000))).toBe(true);
      expect(spans.spans.length).toBeLessThanOrEqual(16);
      expect(spans.has(5_002 * 60_000)).toBe(false);
    }),
    { seed },
  );
});

const HOST_SAMPLE: HostSample = {
  cpuRatio: 0.5,
  cores: [
    { userRatio: 0.2, systemRatio: 0.1, iowaitRatio: 0.2, stealRatio: 0 },
    { userRatio: 0.2, systemRatio: 0.1, iowaitRatio: 0.4, stealRatio: 0 },
  ],
  load1: 1,
  load5: 1,
  load15: 1,
  memoryTotalBytes: 1_000,
  memoryAvailableBytes: 400,
  swapTotalBytes: 0,
  swapFreeBytes: 0,
  mounts: [
    { path: '/', device: 'sda', fsType: 'ext4', totalBytes: 100, availableBytes: 25, inodesTotal: 1, inodesFree: 1 },
  ],
  disks: [],
  nics: [
    {
      name: 'a',
      receiveBytesPerSecond: 1,
      transmitBytesPerSecond: 2,
      receiveErrorsPerSecond: 0,
      transmitErrorsPerSecond: 0,
    },
    {
      name: 'b',
      receiveBytesPerSecond: 3,
      transmitBytesPerSecond: 4,
      receiveErrorsPerSecond: 0,
      transmitErrorsPerSecond: 0,
    },
  ],
  uptimeSeconds: 1,
  processCount: 7,
};

test('of a host is kept what it has; what this kernel does not offer is no series', () => {
  const kept = new Map(measureHost(HOST_SAMPLE).map(({ name, value }) => [name, value]));
  expect([...kept.keys()]).toEqual([
    'cpu',
    'cpu.iowait',
    'cpu.steal',
    'load1',
    'memory',
    'swap',
    'net.receive',
    'net.transmit',
    'processes',
    'mount./',
  ]);
  expect(kept.get('cpu.iowait')).toBeCloseTo(0.3);
  expect(kept.get('memory')).toBe(600);
  expect(kept.get('net.receive')).toBe(4);
  expect(kept.get('mount./')).toBe(0.75);
});

test('of a service is kept the sum of its instances', () => {
  const instance = {
    service: 'api',
    instance: 0,
    cpuRatio: 0.5,
    rssBytes: 10,
    threads: 2,
    processes: 1,
    uptimeSeconds: 5,
  };
  const kept = measureService([instance, { ...instance, instance: 1, readBytesPerSecond: 7 }]);
  expect(kept).toEqual([
    { name: 'cpu', unit: 'ratio', value: 1 },
    { name: 'memory', unit: 'bytes', value: 20 },
    { name: 'disk.read', unit: 'bytes/s', value: 7 },
    { name: 'threads', unit: 'count', value: 4 },
  ]);
});
