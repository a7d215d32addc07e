import { mkdirSync, writeFileSync } from 'node:fs';
import { appendFile, cp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { rows, streamName } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus, Outbox, type OutboxOptions, openBus } from '@muster/contracts/bus';
import {
  eventually,
  type NatsServer,
  startNatsServer,
  startSmallDisk,
  type TemporaryDirectory,
  temporaryDirectory,
  whyNoSmallDisk,
} from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { messageIdOf } from '../src/bus/message-id.ts';
import { sample } from './golden.ts';

const environment = 'test';

let server: NatsServer;
let directory: TemporaryDirectory;
let bus: NatsBus;
beforeEach(async () => {
  server = await startNatsServer();
  directory = await temporaryDirectory();
  bus = openBus({ servers: server.url, environment, role: 'admin', id: 'tester' });
  await bus.connected();
});
afterEach(async () => {
  await bus.drain();
  await directory[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

function open(options: Partial<OutboxOptions> = {}): Promise<Outbox> {
  return Outbox.open({ directory: directory.path, bus, ...options });
}

function append(outbox: Outbox, id: string, instance = 0): void {
  const event = { ...sample('instanceEvent'), service: 'api', id, instance };
  outbox.append(rows.instanceEvent, { host: 'web1', service: 'api', instance }, event);
}

async function stored(instance = 0): Promise<string[]> {
  const history = await bus.history(rows.instanceEvent, { host: 'web1', service: 'api', instance });
  return history.map(({ message }) => message.id);
}

async function journalText(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('');
}

const soon = () => AbortSignal.timeout(30_000);

test('what is appended is stored in order, and told', async () => {
  await setupBus(bus);
  const delivered: string[] = [];
  const outbox = await open({ onDelivered: ({ id, seq }) => delivered.push(`${id}@${seq}`) });
  for (const id of ['a', 'b', 'c']) append(outbox, id);
  expect(outbox.backlog).toBe(3);
  await outbox.flushed(soon());
  expect(outbox.backlog).toBe(0);
  expect(await stored()).toEqual(['a', 'b', 'c']);
  expect(delivered).toEqual(['a@1', 'b@2', 'c@3']);
  await outbox.close();
});

test('whoever listens on the subject itself hears each message once', async () => {
  await setupBus(bus);
  const heard: string[] = [];
  bus.subscribe(rows.instanceEvent, {}, ({ id }) => heard.push(id));
  await bus.flush();
  const outbox = await open();
  for (const id of ['a', 'b', 'c']) append(outbox, id);
  await outbox.flushed(soon());
  await eventually(() => heard.length >= 3, { message: 'all three heard' });
  await bus.flush();
  expect(heard).toEqual(['a', 'b', 'c']);
  await outbox.close();
});

test('what was not sent waits on disk for the next process', async () => {
  await server.kill();
  await eventually(() => !bus.isConnected);
  const first = await open();
  for (const id of ['a', 'b']) append(first, id);
  await first.close();
  await server.restart();
  await bus.connected();
  await setupBus(bus);
  const second = await open();
  expect(second.backlog).toBe(2);
  append(second, 'c');
  await second.flushed(soon());
  expect(await stored()).toEqual(['a', 'b', 'c']);
  await second.close();
});

test('the next process finds the last message of each subject, stored or not', async () => {
  await setupBus(bus);
  const first = await open();
  for (const id of ['a', 'b']) append(first, id);
  append(first, 'c', 1);
  await first.flushed(soon());
  append(first, 'd', 1);
  await first.close();
  const second = await open();
  const found = second.takeFound(rows.instanceEvent).map(({ id, instance }) => `${id} ${instance}`);
  expect(found.sort()).toEqual(['b 0', 'd 1']);
  expect(second.takeFound(rows.instanceEvent)).toEqual([]);
  await second.close();
});

test('rubbish in its files costs nothing but itself', async () => {
  await setupBus(bus);
  const first = await open();
  append(first, 'a');
  await first.close();
  const rubbish = [
    '0',
    'null',
    '[]',
    '{}',
    '"a"',
    '{"message":"x"}',
    '{"message":7}',
    '{"stored":-1,"last":1}',
    '\0\0',
  ];
  const [file] = await readdir(directory.path);
  await appendFile(join(directory.path, file ?? ''), `${rubbish.join('\n')}\n`);
  const second = await open();
  append(second, 'b');
  expect(second.backlog).toBe(2);
  await second.flushed(soon());
  expect(await stored()).toEqual(['a', 'b']);
  await second.close();
});

test('it waits for streams that are not set up yet', async () => {
  const problems: string[] = [];
  const outbox = await open({ onProblem: ({ message }) => problems.push(message) });
  append(outbox, 'a');
  await eventually(() => problems.length > 0);
  expect(problems[0]).toMatch(/no stream keeps it/);
  await setupBus(bus);
  await outbox.flushed(soon());
  expect(await stored()).toEqual(['a']);
  await outbox.close();
});

test('an outbox that lost its directory goes on behind what the stream has', async () => {
  await setupBus(bus);
  const first = await open();
  append(first, 'a');
  await first.flushed(soon());
  await first.close();
  await using other = await temporaryDirectory();
  const second = await open({ directory: other.path });
  append(second, 'b');
  await second.flushed(soon());
  expect(await stored()).toEqual(['a', 'b']);
  await second.close();
});

test('a stream that lost everything gets what it had, as far as that is known, and what comes', async () => {
  await setupBus(bus);
  const outbox = await open();
  for (const id of ['a', 'b']) append(outbox, id);
  await outbox.flushed(soon());
  await server.restart({ wipe: true });
  append(outbox, 'c');
  await bus.connected();
  await setupBus(bus);
  append(outbox, 'd');
  await outbox.flushed(soon());
  expect(await stored()).toEqual(['a', 'b', 'c', 'd']);
  await outbox.close();
});

test('a message whose acknowledgement was lost is not stored twice', async () => {
  await setupBus(bus);
  const first = await open();
  append(first, 'a');
  await first.flushed(soon());
  await first.close();
  // As a process leaves it that was killed while `b` was on its way, and the stream had it.
  const [file] = await readdir(directory.path);
  const event = { ...sample('instanceEvent'), service: 'api', id: 'b' };
  const subject = 'muster.v1.test.service.web1.api.0.event';
  const secret = 'of this journal';
  await appendFile(
    join(directory.path, file as string),
    [
      JSON.stringify({ secret }),
      JSON.stringify({ message: 2, subject, id: 'b', payload: event }),
      JSON.stringify({ attempt: 2, last: 1 }),
      '{"message":3,"subje',
    ].join('\n'),
  );
  await bus.publishOrdered(rows.instanceEvent, { host: 'web1', service: 'api', instance: 0 }, event, {
    expectedLastSeq: 1,
    messageId: messageIdOf(secret, subject, 'b'),
  });

  const delivered: string[] = [];
  const second = await open({ onDelivered: ({ id, seq }) => delivered.push(`${id}@${seq}`) });
  expect(second.backlog).toBe(1);
  append(second, 'c');
  await second.flushed(soon());
  expect(await stored()).toEqual(['a', 'b', 'c']);
  expect(delivered).toEqual(['b@2', 'c@3']);
  await second.close();
});

test('who can ask what has arrived repeats nothing to those who listen', async () => {
  await setupBus(bus);
  const params = { host: 'web1', service: 'api', instance: 0 };
  const subject = 'muster.v1.test.service.web1.api.0.event';
  const event = (id: string) => ({ ...sample('instanceEvent'), service: 'api', id });
  await bus.publishOrdered(rows.instanceEvent, params, event('a'), { expectedLastSeq: 0 });
  // Killed with `b` on its way, and nothing behind it; `a` had arrived.
  const killed = (folder: string, id: string, last: number) => {
    const lines = [
      { message: 1, subject, id, payload: event(id) },
      { attempt: 1, last },
    ];
    mkdirSync(folder);
    writeFileSync(join(folder, 'journal-0000000001.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return folder;
  };
  const heard: string[] = [];
  bus.subscribe(rows.instanceEvent, {}, ({ id }) => heard.push(id));
  await bus.flush();
  const findArrived = async (of: string, id: string, afterSeq: number) => {
    expect(of).toBe(subject);
    const later = await bus.history(rows.instanceEvent, params, { sinceSeq: afterSeq + 1 });
    return later.find(({ message }) => message.id === id)?.seq;
  };
  for (const [id, last] of [
    ['a', 0],
    ['b', 1],
  ] as const) {
    const outbox = await open({ directory: killed(join(directory.path, id), id, last), findArrived });
    await outbox.flushed(soon());
    await outbox.close();
  }
  await bus.flush();
  expect(heard).toEqual(['b']);
  expect(await stored()).toEqual(['a', 'b']);
});

test('an attempt that never left is made again', async () => {
  await setupBus(bus);
  const first = await open();
  append(first, 'a');
  await first.flushed(soon());
  await first.close();
  const [file] = await readdir(directory.path);
  const payload = { ...sample('instanceEvent'), service: 'api', id: 'b' };
  const subject = 'muster.v1.test.service.web1.api.0.event';
  const lines = [
    { message: 2, subject, id: 'b', payload },
    { attempt: 2, last: 1 },
  ];
  await appendFile(join(directory.path, file as string), lines.map((line) => JSON.stringify(line)).join('\n'));
  const second = await open();
  await second.flushed(soon());
  expect(await stored()).toEqual(['a', 'b']);
  await second.close();
});

test('beyond its bound the oldest are given up, and how many is told', async () => {
  await server.kill();
  await eventually(() => !bus.isConnected);
  let lost = 0;
  const outbox = await open({
    maxBytes: 20_000,
    onGap: (count) => {
      lost += count;
      // Saying so must not be what fills it again.
      append(outbox, `gap-${lost}`);
    },
  });
  for (let i = 0; i < 100; i++) append(outbox, String(i));
  await eventually(() => lost > 0);
  const kept = outbox.backlog;
  expect(kept + lost).toBe(101);
  await outbox.close();
  await server.restart();
  await bus.connected();
  await setupBus(bus);
  const next = await open();
  await next.flushed(soon());
  const ids = await stored();
  expect(ids).toHaveLength(kept);
  expect(ids.slice(-2)).toEqual(['99', `gap-${lost}`]);
  await next.close();
});

test('the journal is written anew when it has grown, and loses nothing', async () => {
  await setupBus(bus);
  const outbox = await open();
  // As large as an event is: together they are more than a journal keeps.
  const large = { reason: 'x'.repeat(2_000), causes: Array.from({ length: 32 }, () => 'y'.repeat(190)) };
  const event = { ...sample('instanceEvent'), service: 'api', ...large };
  for (let i = 0; i < 720; i++) {
    outbox.append(rows.instanceEvent, { host: 'web1', service: 'api', instance: 0 }, { ...event, id: String(i) });
    if (i % 120 === 119) await outbox.flushed(soon());
  }
  await outbox.close();
  const files = (await readdir(directory.path)).filter((name) => name.endsWith('.jsonl'));
  expect(files).toHaveLength(1);
  expect((await stat(join(directory.path, files[0] as string))).size).toBeLessThan(5_000_000);
  expect(await stored()).toEqual(Array.from({ length: 720 }, (_, i) => String(i)));
});

test('after everything is delivered a restart leaves a small file that knows where each subject stands', async () => {
  await setupBus(bus);
  const first = await open();
  for (let i = 0; i < 50; i++) append(first, String(i), i % 2);
  await first.flushed(soon());
  await first.close();
  await (await open()).close();
  const [file] = await readdir(directory.path);
  const lines = (await readFile(join(directory.path, file as string), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { counted: 50 },
    { secret: expect.any(String) },
    { subject: 'muster.v1.test.service.web1.api.0.event', last: expect.any(Number) },
    { subject: 'muster.v1.test.service.web1.api.1.event', last: expect.any(Number) },
  ]);
  expect(streamName(environment, 'events')).toBe('MUSTER_TEST_EVENTS');
});

test('the throughput of a backlog, printed', { timeout: 180_000 }, async () => {
  await setupBus(bus);
  await server.kill();
  await eventually(() => !bus.isConnected);
  const outbox = await open();
  const count = 20_000;
  const appendingMs = performance.now();
  for (let i = 0; i < count; i++) append(outbox, String(i), i % 100);
  const appendedMs = performance.now() - appendingMs;
  await server.restart();
  await bus.connected();
  const drainingMs = performance.now();
  await outbox.flushed(AbortSignal.timeout(150_000));
  const drainedMs = performance.now() - drainingMs;
  console.log(
    `outbox: ${Math.round((count / appendedMs) * 1_000)} appends/s, ${Math.round((count / drainedMs) * 1_000)} events/s drained over 100 subjects`,
  );
  expect(outbox.backlog).toBe(0);
  await outbox.close();
});

test.for([
  { room: 'while it lives', isRoomInTime: true },
  { room: 'when it has ended', isRoomInTime: false },
])('what a full disk did not take is written, or counted as lost: room $room', async ({ isRoomInTime }, context) => {
  const reason = whyNoSmallDisk();
  context.skip(reason !== undefined, reason);
  await using disk = await startSmallDisk(4);
  const onDisk = { directory: join(disk.seenPath, 'outbox') };
  await server.kill();
  await eventually(() => !bus.isConnected);
  const problems: string[] = [];
  const first = await open({ ...onDisk, onProblem: ({ message }) => problems.push(message) });
  append(first, 'before');
  await disk.fill();
  // More than the reserve takes.
  const ids = Array.from({ length: 1_000 }, (_, index) => `full-${index}`);
  for (const id of ids) append(first, id);
  expect(problems[0]).toContain('ENOSPC');
  if (isRoomInTime) {
    await disk.makeRoom();
    await eventually(async () => (await journalText(onDisk.directory)).includes('full-999'), { message: 'written' });
  }
  await first.close();
  if (!isRoomInTime) await disk.makeRoom();

  const second = await open(onDisk);
  const told: number[] = [];
  second.tellLost((lost) => told.push(lost));
  second.tellLost(() => told.push(-1));
  const [lost = 0] = told;
  expect(told).toHaveLength(isRoomInTime ? 0 : 1);
  expect(lost + second.backlog).toBe(1 + ids.length);
  await second.close();
  const third = await open(onDisk);
  third.tellLost(() => expect.unreachable('it was told before'));
  await third.close();
});

test('with a full disk the bus hears what the reserve has room for, and nothing twice after the end', async (context) => {
  const reason = whyNoSmallDisk();
  context.skip(reason !== undefined, reason);
  await setupBus(bus);
  await using disk = await startSmallDisk(4);
  const onDisk = { directory: join(disk.seenPath, 'outbox') };
  let delivered = 0;
  const first = await open({ ...onDisk, onDelivered: () => delivered++ });
  await disk.fill();
  const ids = Array.from({ length: 1_000 }, (_, index) => `full-${index}`);
  for (const id of ids.slice(0, 50)) append(first, id);
  await first.flushed(soon());
  for (const id of ids.slice(50)) append(first, id);
  await eventually(() => delivered >= 55, { message: 'some more were delivered' });
  await first.close();
  await disk.makeRoom();

  const second = await open(onDisk);
  let lost = 0;
  second.tellLost((count) => (lost = count));
  await second.flushed(soon());
  const arrived = await stored();
  expect(lost).toBeGreaterThan(0);
  expect(arrived).toEqual(ids.slice(0, ids.length - lost));
  await second.close();
});

test('on a full disk the next process goes on in the file that is there', async (context) => {
  const reason = whyNoSmallDisk();
  context.skip(reason !== undefined, reason);
  await setupBus(bus);
  await using disk = await startSmallDisk(4);
  const onDisk = { directory: join(disk.seenPath, 'outbox') };
  const first = await open(onDisk);
  append(first, 'sent');
  await first.flushed(soon());
  await server.kill();
  await eventually(() => !bus.isConnected);
  append(first, 'waits');
  await disk.fill();
  await first.close();

  const problems: string[] = [];
  const second = await open({ ...onDisk, onProblem: ({ message }) => problems.push(message) });
  expect(problems[0]).toContain('ENOSPC');
  expect(second.backlog).toBe(1);
  append(second, 'came on the full disk');
  await second.close();
  const third = await open(onDisk);
  third.tellLost(() => expect.unreachable('the reserve had room'));
  await server.restart();
  await bus.connected();
  await third.flushed(soon());
  expect(await stored()).toEqual(['sent', 'waits', 'came on the full disk']);
  await third.close();
});

test('what a restored store has lost is sent again, in order, before what comes', async () => {
  await setupBus(bus);
  const heard: string[] = [];
  bus.subscribe(rows.instanceEvent, {}, ({ id }) => heard.push(id));
  const first = await open();
  first.learn({ incarnation: 1, raises: [] });
  for (const id of ['a', 'b']) append(first, id);
  append(first, 'quiet', 1);
  await first.flushed(soon());
  const copy = join(directory.path, 'copy');
  await server.kill();
  await cp(server.storeDir, copy, { recursive: true });
  await server.restart();
  await bus.connected();
  for (const id of ['c', 'd']) append(first, id);
  append(first, 'quiet 2', 1);
  await first.flushed(soon());
  // Its last process knows of them as well.
  await first.close();
  const second = await open();
  await server.kill();
  await rm(server.storeDir, { recursive: true });
  await cp(copy, server.storeDir, { recursive: true });
  await server.restart();
  await bus.connected();
  append(second, 'e');
  await second.flushed(soon());
  expect(await stored()).toEqual(['a', 'b', 'c', 'd', 'e']);
  // Nothing was said on this subject since: only the number tells.
  expect(await stored(1)).toEqual(['quiet']);
  second.learn({ incarnation: 2, raises: [{ incarnation: 2, kept: [{ stream: 'events', seq: 3 }] }] });
  await second.flushed(soon());
  expect(await stored(1)).toEqual(['quiet', 'quiet 2']);
  expect(await stored()).toEqual(['a', 'b', 'c', 'd', 'e']);
  await bus.flush();
  expect(heard.sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'quiet', 'quiet 2']);
  // Told again, or an older number: nothing more.
  second.learn({ incarnation: 2, raises: [] });
  second.learn({ incarnation: 1, raises: [] });
  expect(second.backlog).toBe(0);
  await second.close();
});
