/* Logs of many instances, as a reader of the stream sees them. */
import { type LogBatch, type LogGap, type LogLine, rows } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus, NoStreamError, openBus, uuidv7 } from '@muster/contracts/bus';
import { type LogEntry, type LogQuery, readLogs } from '@muster/contracts/client';
import { Pattern } from '@muster/contracts/pattern';
import { eventually, type NatsServer, startNatsServer } from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sample } from './golden.ts';

let server: NatsServer;
let bus: NatsBus;
const lastSeqs = new Map<string, number>();
beforeEach(async () => {
  server = await startNatsServer();
  bus = openBus({ servers: server.url, environment: 'test', role: 'admin', id: 'tester' });
  await bus.connected();
  lastSeqs.clear();
});
afterEach(async () => {
  await bus.drain();
  await server[Symbol.asyncDispose]();
});

const MINUTE_MS = 60_000;
const NOW_MS = Date.now();

function line(text: string, ageMs = 0, more: Partial<LogLine> = {}): LogLine {
  return { time: new Date(NOW_MS - ageMs).toISOString(), stream: 'stdout', offset: 0, text, ...more };
}

async function ship(host: string, lines: LogLine[], gaps: LogGap[] = []): Promise<void> {
  const batch: LogBatch = {
    ...sample('instanceLog', { host, service: 'api', instance: 0 }),
    id: uuidv7(),
    lines,
    gaps,
  };
  const params = { host, service: 'api', instance: 0 };
  const { seq } = await bus.publishOrdered(rows.instanceLog, params, batch, {
    expectedLastSeq: lastSeqs.get(host) ?? 0,
  });
  lastSeqs.set(host, seq);
}

async function read(query: LogQuery = {}): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of readLogs(bus, query, AbortSignal.timeout(30_000))) entries.push(entry);
  return entries;
}

function textsOf(entries: readonly LogEntry[]): string[] {
  return entries.map((entry) => (entry.kind === 'line' ? entry.line.text : `gap of ${entry.gap.lines}`));
}

test('many hosts are one log: by time among them, each in its own order', async () => {
  await setupBus(bus);
  await ship('web1', [line('a1', 5_000), line('a2', 1_000), line('a3 says an older time', 9_000)]);
  await ship('web2', [line('b1', 4_000), line('b2', 500)]);
  expect(textsOf(await read())).toEqual(['a1', 'b1', 'a2', 'a3 says an older time', 'b2']);
  expect(textsOf(await read({ host: 'web2' }))).toEqual(['b1', 'b2']);
});

test('by level, text, expression, stream and time; gaps whatever is searched for', async () => {
  await setupBus(bus);
  const gap = { stream: 'stdout', offset: 900, bytes: 100, lines: 7, reason: 'more than 64 KiB/s' } as const;
  await ship(
    'web1',
    [
      line('Started', 30 * MINUTE_MS, { level: 'info' }),
      line('hot', 20 * MINUTE_MS, { level: 'warn', fields: { zone: 'Kitchen' } }),
      line('lost', 10 * MINUTE_MS, { level: 'error', stream: 'stderr' }),
    ],
    [gap],
  );
  const told = async (query: LogQuery) => textsOf(await read(query));
  expect(await told({ level: 'warn' })).toEqual(['hot', 'gap of 7', 'lost']);
  expect(await told({ text: 'KITCHEN' })).toEqual(['hot', 'gap of 7']);
  expect(await told({ regex: new Pattern('^St.*d$') })).toEqual(['Started', 'gap of 7']);
  expect(await told({ stream: 'stderr' })).toEqual(['lost']);
  const between = { since: new Date(NOW_MS - 25 * MINUTE_MS), until: new Date(NOW_MS - 15 * MINUTE_MS) };
  expect(await told({ ...between, service: 'api', instance: 0 })).toEqual(['hot', 'gap of 7']);
});

test('the last lines, however far back they are', async () => {
  await setupBus(bus);
  for (let i = 0; i < 30; i += 1) await ship('web1', [line(`line ${i}`)]);
  expect(textsOf(await read({ last: 2 }))).toEqual(['line 28', 'line 29']);
  expect(await read({ last: 100 })).toHaveLength(30);
});

test('who follows keeps the place while the server dies and comes back', async () => {
  await setupBus(bus);
  await ship('web1', [line('before')]);
  const seen: string[] = [];
  const end = new AbortController();
  const following = (async () => {
    for await (const entry of readLogs(bus, { follow: true }, end.signal)) seen.push(...textsOf([entry]));
  })();
  await eventually(() => seen.length === 1, { message: 'the past' });
  await ship('web1', [line('live')]);
  await eventually(() => seen.length === 2, { message: 'what comes' });
  await server.restart();
  await bus.connected();
  await eventually(() => ship('web1', [line('after')]).then(() => true));
  await eventually(() => seen.length >= 3, { message: 'what came after' });
  end.abort();
  await following;
  expect(seen).toEqual(['before', 'live', 'after']);
});

test('a stream that was made anew is read from its start', async () => {
  await setupBus(bus);
  for (let i = 0; i < 3; i += 1) await ship('web1', [line(`old ${i}`)]);
  const seen: string[] = [];
  const end = new AbortController();
  const following = (async () => {
    for await (const entry of readLogs(bus, { follow: true }, end.signal)) seen.push(...textsOf([entry]));
  })();
  await eventually(() => seen.length === 3);
  await server.kill();
  await server.restart({ wipe: true });
  await bus.connected();
  await setupBus(bus);
  lastSeqs.clear();
  await ship('web1', [line('new')]);
  // The reader may find the server before its streams are there, which ends it: whoever asks again gets them.
  const ended = following.catch((error: unknown) => error instanceof NoStreamError);
  await Promise.race([eventually(() => seen.includes('new')), ended]);
  end.abort();
  expect(await ended).not.toBe(false);
  expect(textsOf(await read())).toEqual(['new']);
});

test('it takes no more than is asked for: a slow reader of much gets all of it', async () => {
  await setupBus(bus);
  const text = Array.from({ length: 100 }, () => Math.random().toString(36)).join(' ');
  const batch = Array.from({ length: 20 }, (_, i) => line(`${i} ${text}`));
  for (let i = 0; i < 400; i += 1) await ship('web1', batch);
  let count = 0;
  for await (const _ of readLogs(bus, {}, AbortSignal.timeout(50_000))) {
    count += 1;
    if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(count).toBe(8_000);
});

test('without a stream it says so', async () => {
  await expect(read()).rejects.toThrow(NoStreamError);
});
