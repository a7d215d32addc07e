import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  BUCKETS_PER_CHUNK,
  type HostSample,
  hostRollups,
  type RollupChunk,
  type ServiceSample,
  serviceRollups,
} from '@muster/contracts';
import { Outbox, openBus } from '@muster/contracts/bus';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Envelopes } from '../../bus/envelopes.ts';
import { Rollups } from './rollups.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'muster-rollups-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const HOST: HostSample = {
  cpuRatio: 0.123456,
  cores: [],
  load1: 1,
  load5: 1,
  load15: 1,
  memoryTotalBytes: 1_000,
  memoryAvailableBytes: 400,
  swapTotalBytes: 0,
  swapFreeBytes: 0,
  mounts: [],
  disks: [],
  nics: [],
  uptimeSeconds: 1,
  processCount: 7,
};
const api = (cpuRatio: number): ServiceSample => ({
  service: 'api',
  instance: 0,
  cpuRatio,
  rssBytes: 1_000,
  threads: 3,
  processes: 1,
  uptimeSeconds: 1,
});

/** An agent's history over a real outbox; its bus is away. */
async function openAgent(
  options: { readonly maxBytes?: number; readonly epoch?: number; readonly host?: string } = {},
) {
  const { host = 'web1' } = options;
  const bus = openBus({ servers: 'nats://127.0.0.1:1', environment: 'test', role: 'agent', id: host });
  const gaps: number[] = [];
  const problems: unknown[] = [];
  const outbox = await Outbox.open({
    directory: path.join(directory, 'metrics-outbox'),
    bus,
    onGap: (lost) => gaps.push(lost),
    ...(options.maxBytes !== undefined && { maxBytes: options.maxBytes }),
  });
  let nowMs = 0;
  const file = path.join(directory, 'rollups.json');
  const rollups = new Rollups({
    host,
    file,
    envelopes: new Envelopes(host, options.epoch ?? 1),
    outbox,
    onProblem: (error) => problems.push(error),
    wallNowMs: () => nowMs,
    // Chunks end at half hours, but for who asks for the place of a host of its own.
    ...(options.host === undefined && { phase: 0 }),
  });
  return {
    rollups,
    outbox,
    gaps,
    problems,
    file,
    look(time: string, cpuRatio = 0.5) {
      nowMs = Date.parse(`2026-03-01T${time}Z`);
      rollups.record(HOST, [api(cpuRatio)]);
    },
    waiting: (): RollupChunk[] =>
      outbox.waiting(serviceRollups['1m'], { host, service: 'api' }).flatMap((message) => message.read() ?? []),
    async [Symbol.asyncDispose]() {
      await outbox.close();
      await bus.drain();
    },
  };
}

test('a complete chunk of the host and of each service waits for the bus, named by its first bucket', async () => {
  await using agent = await openAgent();
  for (const time of ['12:03:00', '12:03:10', '12:05:00', '12:30:00']) agent.look(time);
  const chunk = agent.waiting();
  expect(chunk).toMatchObject([
    {
      id: 'web1/api/1m/2026-03-01T12:03:00.000Z',
      source: 'agent/web1',
      tier: '1m',
      firstBucketAt: '2026-03-01T12:03:00.000Z',
      bucketSeconds: 60,
    },
  ]);
  expect(chunk[0]?.series.find(({ name }) => name === 'cpu')).toEqual({
    name: 'cpu',
    unit: 'ratio',
    count: [2, 0, 1],
    sum: [1, null, 0.5],
    min: [0.5, null, 0.5],
    max: [0.5, null, 0.5],
    last: [0.5, null, 0.5],
  });
  const [host] = agent.outbox.waiting(hostRollups['1m'], { host: 'web1' });
  expect(host?.id).toBe('web1/_/1m/2026-03-01T12:03:00.000Z');
  // Three significant digits.
  expect(host?.read()?.series[0]?.last).toEqual([0.123, null, 0.123]);
});

test('what is in no stream is what waits and what is open', async () => {
  await using agent = await openAgent();
  for (const time of ['12:28:00', '12:29:00', '12:30:00', '12:31:00']) agent.look(time);
  expect(agent.rollups.unpublished('1m', 'api').map(({ firstBucketAt }) => firstBucketAt)).toEqual([
    '2026-03-01T12:28:00.000Z',
    '2026-03-01T12:30:00.000Z',
  ]);
  const [open] = agent.rollups.unpublished('2h', undefined);
  expect(open).toMatchObject({ tier: '2h', firstBucketAt: '2026-03-01T12:00:00.000Z' });
  expect(open?.series[0]?.count).toEqual([4]);
  expect(agent.rollups.unpublished('1m', 'nope')).toEqual([]);
});

test('an orderly end in the middle of a chunk leaves no trace in it', async () => {
  {
    await using first = await openAgent();
    for (const time of ['12:03:00', '12:04:00', '12:04:10']) first.look(time);
    first.rollups.save();
  }
  await using second = await openAgent({ epoch: 2 });
  for (const time of ['12:04:20', '12:05:00', '12:30:00']) second.look(time);
  expect(second.waiting()).toHaveLength(1);
  expect(second.waiting()[0]?.series[0]?.count).toEqual([1, 3, 1]);
});

test('an agent that is killed loses what it saw since the last full minute, and the count says so', async () => {
  {
    await using killed = await openAgent();
    for (const time of ['12:03:00', '12:03:30', '12:04:00', '12:04:30', '12:04:50']) killed.look(time);
  }
  await using next = await openAgent({ epoch: 2 });
  for (const time of ['12:05:10', '12:30:00']) next.look(time);
  expect(next.waiting()[0]?.series[0]?.count).toEqual([2, 1, 1]);
});

test('an agent that is killed between telling a chunk and saving that it has: it is told once', async () => {
  const before = path.join(directory, 'before.json');
  {
    await using killed = await openAgent();
    for (const time of ['12:28:00', '12:29:00', '12:29:30']) killed.look(time);
    copyFileSync(killed.file, before);
    killed.look('12:30:00');
    expect(killed.waiting()).toHaveLength(1);
    copyFileSync(before, killed.file);
  }
  await using next = await openAgent({ epoch: 2 });
  for (const time of ['12:30:10', '12:31:00', '13:01:00']) next.look(time);
  expect(next.waiting().map(({ firstBucketAt }) => firstBucketAt)).toEqual([
    '2026-03-01T12:28:00.000Z',
    '2026-03-01T12:30:00.000Z',
  ]);
  expect(next.waiting()[0]?.series[0]?.count).toEqual([1, 2]);
});

test.each([
  ['cut off', '{"1m":'],
  ['of another shape', '{"1m":[],"15m":3}'],
  ['with a time that is none', '{"1m":{"open":{"atMs":"x","subjects":{}},"closed":[],"spans":[]}}'],
  [
    'with a series that is none',
    '{"1m":{"open":{"atMs":0,"subjects":{"":{"cpu":["ratio",1,"x",1,1,1]}}},"closed":[],"spans":[]}}',
  ],
])('a file that is %s costs what was not told yet, and nothing else', async (_what, text) => {
  writeFileSync(path.join(directory, 'rollups.json'), text);
  await using agent = await openAgent();
  expect(agent.problems).toHaveLength(1);
  for (const time of ['12:03:00', '12:30:00']) agent.look(time);
  expect(agent.waiting()).toHaveLength(1);
});

test('a clock that is put back is said once, and nothing is told twice', async () => {
  await using agent = await openAgent();
  for (const time of ['12:03:00', '12:05:00', '12:04:00', '12:04:30', '12:05:30', '12:30:00']) agent.look(time);
  expect(agent.problems.map(String)).toEqual([expect.stringContaining('the wall clock was put back')]);
  // At 12:04 nothing had been measured: that minute was still open.
  expect(agent.waiting()[0]?.series[0]?.count).toEqual([1, 2, 1]);
});

test('hosts end their chunks at minutes of their own, the same after each start', async () => {
  const endOf = async (host: string) => {
    await using agent = await openAgent({ host });
    for (let minute = 0; minute < 60; minute += 1) {
      agent.look(`12:${String(minute).padStart(2, '0')}:00`);
      if (agent.waiting().length > 0) return minute;
    }
    throw new Error(`no chunk of ${host} ended within an hour`);
  };
  const ends: number[] = [];
  for (const host of ['web1', 'web1', 'web2', 'db1']) {
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    ends.push((await endOf(host)) % BUCKETS_PER_CHUNK['1m']);
  }
  expect(ends[1]).toBe(ends[0]);
  expect(new Set(ends).size).toBe(3);
});

test('what waits is bounded: the oldest chunks are given up, and counted', async () => {
  await using agent = await openAgent({ maxBytes: 20_000 });
  for (let hour = 0; hour < 24; hour += 1) {
    for (const minute of ['00', '15', '30', '45']) agent.look(`${String(hour).padStart(2, '0')}:${minute}:00`);
  }
  await new Promise((resolve) => setImmediate(resolve));
  const kept = agent.waiting().map(({ firstBucketAt }) => firstBucketAt);
  expect(kept.at(-1)).toBe('2026-03-01T23:00:00.000Z');
  expect(kept.at(0)).not.toBe('2026-03-01T00:00:00.000Z');
  expect(kept).toEqual([...kept].sort());
  expect(agent.gaps.reduce((sum, lost) => sum + lost, 0) + agent.outbox.backlog).toBeGreaterThan(94);
});
