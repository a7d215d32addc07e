import { commands, type LogLine, rows } from '@muster/contracts';
import {
  BusAwayError,
  type BusProblem,
  InvalidMessageError,
  MessageTooLargeError,
  NoResponderError,
  NoStreamError,
  openBus,
  RequestTimeoutError,
  WrongLastSequenceError,
} from '@muster/contracts/bus';
import { eventually, freePort, type NatsServer, startNatsServer } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sample, sampleRequest, sampleValue } from './golden.ts';
import { TestIdentities, WITHOUT_KEYS } from './identities.ts';

const OPERATOR = { role: 'operator', id: 'ada' } as const;
const AGENT = { role: 'agent', id: 'web1' } as const;

let server: NatsServer;
let identities: TestIdentities;
beforeAll(async () => {
  server = await startNatsServer(WITHOUT_KEYS);
  identities = await TestIdentities.mint('test', [OPERATOR, AGENT]);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await identities[Symbol.asyncDispose]();
});

const HOST = { host: 'web1' };
const INSTANCE = { host: 'web1', service: 'rag-api', instance: 0 };

async function open(options: { environment?: string; onProblem?: (problem: BusProblem) => void; url?: string } = {}) {
  const { environment = 'test', onProblem = () => {}, url = server.url } = options;
  const bus = openBus({ servers: url, environment, role: 'admin', id: 'tester', onProblem });
  await bus.connected();
  return bus;
}

/** Who asks, and who answers. */
async function openPair(url = server.url) {
  const operator = openBus({ servers: url, ...identities.as(OPERATOR) });
  const agent = openBus({ servers: url, ...identities.as(AGENT) });
  await Promise.all([operator.connected(), agent.connected()]);
  return {
    operator,
    agent,
    async [Symbol.asyncDispose]() {
      await Promise.all([operator.drain(), agent.drain()]);
    },
  };
}

async function makeStream(bus: Awaited<ReturnType<typeof open>>, name: string, subjects: string[]): Promise<void> {
  await bus.callJetStream(`STREAM.CREATE.${name}`, { name, subjects, storage: 'file', allow_direct: true });
}

test('what is published is heard, with its parameters', async () => {
  await using bus = await open();
  const heard: unknown[] = [];
  bus.subscribe(rows.hostPresence, {}, (message, params) => heard.push([message.host, params.host]));
  bus.subscribe(rows.hostPresence, { host: 'other' }, () => heard.push('other'));
  await bus.flush();
  bus.publish(rows.hostPresence, HOST, sample('hostPresence'));
  await eventually(() => heard.length > 0);
  expect(heard).toEqual([['web1', 'web1']]);
});

test('a message that does not fit its schema, or is too large, is not sent', async () => {
  await using bus = await open();
  expect(() => bus.publish(rows.hostPresence, HOST, { ...sample('hostPresence'), services: -1 })).toThrow(
    InvalidMessageError,
  );
  const line = { ...(sample('instanceLog').lines[0] as LogLine), text: 'x'.repeat(16 * 1024) };
  const large = { ...sample('instanceLog'), lines: Array.from({ length: 40 }, () => line) };
  expect(() => bus.publish(rows.instanceLog, INSTANCE, large)).toThrow(MessageTooLargeError);
  expect(bus.counters.published).toBe(0);
});

test('malformed messages are counted and told, and the next good one is heard', async () => {
  const problems: BusProblem[] = [];
  await using listener = await open({ onProblem: (problem) => problems.push(problem) });
  await using sender = await open();
  let heard = 0;
  listener.subscribe(rows.hostPresence, {}, () => heard++);
  await listener.flush();
  // Another row's message on this row's subject.
  sender.publish({ ...rows.hostPresence, schema: rows.hostEvent.schema }, HOST, sample('hostEvent'));
  sender.publish(rows.hostPresence, HOST, sample('hostPresence'));
  await eventually(() => heard === 1);
  expect(listener.counters).toMatchObject({ malformed: 1, foreign: 0, oversize: 0 });
  expect(problems).toMatchObject([{ kind: 'malformed', subject: 'muster.v1.test.host.web1.presence' }]);
});

test('a handler that throws ends nothing', async () => {
  const problems: BusProblem[] = [];
  await using bus = await open({ onProblem: (problem) => problems.push(problem) });
  let heard = 0;
  bus.subscribe(rows.hostPresence, {}, () => {
    heard++;
    throw new Error('a bug');
  });
  await bus.flush();
  bus.publish(rows.hostPresence, HOST, sample('hostPresence'));
  bus.publish(rows.hostPresence, HOST, sample('hostPresence'));
  await eventually(() => heard === 2);
  expect(problems[0]).toMatchObject({ kind: 'error', reason: 'handler failed: a bug' });
});

test('a question is answered; who is nobody answers at once; who is silent is a timeout', async () => {
  await using pair = await openPair();
  const { operator, agent } = pair;
  const ask = (timeoutMs = 10_000) => operator.request(commands.stop, HOST, sampleRequest('stop'), { timeoutMs });
  await expect(ask()).rejects.toThrow(NoResponderError);

  const answering = agent.respond(commands.stop, HOST, async ({ id, time, service }, { host }, { role, id: by }) => ({
    id: 'reply',
    time,
    source: 'agent/web1',
    commandId: id,
    accepted: true,
    code: 'ok' as const,
    reason: `${host}: stopping ${service} for ${role}/${by}`,
  }));
  await agent.flush();
  expect(await ask()).toMatchObject({ reason: 'web1: stopping rag-api for operator/ada' });
  answering.stop();

  agent.respond(commands.stop, HOST, () => new Promise(() => {}));
  await agent.flush();
  await expect(ask(50)).rejects.toThrow(RequestTimeoutError);
});

test('a malformed question is refused, and so is one whose handler fails', async () => {
  await using pair = await openPair();
  const { operator, agent } = pair;
  agent.respond(commands.stop, HOST, () => Promise.reject(new Error('no disk')));
  await agent.flush();
  const row = { ...commands.stop, request: commands.reload.request };
  const malformed = operator.request(row, HOST, sampleRequest('reload'), { timeoutMs: 10_000 });
  expect(await malformed).toMatchObject({ accepted: false, code: 'bad-request', reason: /service/ });
  expect(agent.counters).toMatchObject({ malformed: 1, refused: 1, forged: 0 });
  const failed = operator.request(commands.stop, HOST, sampleRequest('stop'), { timeoutMs: 10_000 });
  expect(await failed).toMatchObject({ accepted: false, code: 'internal', reason: 'no disk' });
});

test('a refusal without the fields of the answer is told as a refusal', async () => {
  await using pair = await openPair();
  const { operator, agent } = pair;
  agent.respond(commands.status, HOST, () => Promise.reject(new Error('no disk')));
  await agent.flush();
  const asked = operator.request(commands.status, HOST, sampleRequest('status'), { timeoutMs: 10_000 });
  await expect(asked).rejects.toMatchObject({ name: 'RequestRefusedError', code: 'internal', reason: 'no disk' });
});

test('ordered publishing stores once, in order, and says what was last', async () => {
  await using bus = await open({ environment: 'ordered' });
  const publish = (expectedLastSeq: number, id = 'a') =>
    bus.publishOrdered(rows.instanceEvent, INSTANCE, { ...sample('instanceEvent'), id }, { expectedLastSeq });
  await expect(publish(0)).rejects.toThrow(NoStreamError);
  await makeStream(bus, 'MUSTER_ORDERED_EVENTS', ['muster.v1.ordered.service.*.*.*.event']);
  expect(await publish(0)).toEqual({ seq: 1 });
  await expect(publish(0)).rejects.toThrow(
    new WrongLastSequenceError('muster.v1.ordered.service.web1.rag-api.0.event', 0, 1),
  );
  // A sequence that can't be: refused whatever the stream holds, so it asks for the last one.
  await expect(publish(Number.MAX_SAFE_INTEGER)).rejects.toMatchObject({ actual: 1 });
  expect(await publish(1, 'b')).toEqual({ seq: 2 });
  await expect(
    bus.publishOrdered(rows.instanceEvent, { ...INSTANCE, instance: 1 }, sample('instanceEvent', { instance: 1 }), {
      expectedLastSeq: Number.MAX_SAFE_INTEGER,
    }),
  ).rejects.toMatchObject({ actual: 0 });
  const history = await bus.history(rows.instanceEvent, { host: 'web1' });
  expect(history.map(({ seq, params }) => [seq, params.instance])).toEqual([
    [1, 0],
    [2, 0],
  ]);
  expect(await bus.history(rows.instanceEvent, {}, { last: 1 })).toMatchObject([{ seq: 2 }]);
  expect(await bus.history(rows.instanceEvent, {}, { sinceSeq: 2 })).toMatchObject([{ seq: 2 }]);
  expect(await bus.history(rows.instanceEvent, { host: 'nobody' })).toEqual([]);
  // What was stored twice is read once.
  await publish(2, 'a');
  expect(await bus.history(rows.instanceEvent, { host: 'web1' })).toHaveLength(2);
  expect(bus.counters.doubled).toBe(1);
});

test('a bucket: put, get, create, update, delete, watch', async () => {
  await using bus = await open({ environment: 'kv' });
  const kv = bus.kv('leases');
  await expect(kv.put('probers.leader', sampleValue('leases'))).rejects.toThrow(NoStreamError);
  const told: unknown[] = [];
  kv.watch({
    onEntry: (key, value, revision) => told.push([key, value?.holder, revision]),
    onReady: () => told.push('ready'),
    onReset: () => told.push('reset'),
  });
  await makeBucket(bus, 'muster_kv_leases');
  await eventually(() => told.includes('ready'));
  // What is put over before the server has told it is told no more.
  const toldOf = (count: number) => eventually(() => told.length === count, { message: `${count} words` });
  const value = sampleValue('leases');
  expect(await kv.get('a.b')).toBeUndefined();
  expect(await kv.create('a.b', value)).toEqual({ revision: 1 });
  await toldOf(2);
  expect(await kv.create('a.b', value)).toBeUndefined();
  expect(await kv.update('a.b', { ...value, source: 'prober/p2', holder: 'p2' }, 1)).toEqual({ revision: 2 });
  await toldOf(3);
  expect(await kv.update('a.b', value, 1)).toBeUndefined();
  expect(await kv.get('a.b')).toEqual({ value: { ...value, source: 'prober/p2', holder: 'p2' }, revision: 2 });
  await kv.delete('a.b');
  await toldOf(4);
  expect(await kv.get('a.b')).toBeUndefined();
  expect(await kv.create('a.b', value)).toEqual({ revision: 4 });
  await toldOf(5);
  expect(told).toEqual(['ready', ['a.b', 'p1', 1], ['a.b', 'p2', 2], ['a.b', undefined, 3], ['a.b', 'p1', 4]]);
  await expect(kv.put('a.>', value)).rejects.toThrow("cannot use 'a.>' as a key");
});

async function makeBucket(bus: Awaited<ReturnType<typeof open>>, bucket: string): Promise<void> {
  await bus.callJetStream(`STREAM.CREATE.KV_${bucket}`, {
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    max_msgs_per_subject: 1,
    allow_rollup_hdrs: true,
    allow_direct: true,
  });
}

test('a watch begins again from scratch when the server comes back, with its data or without', async () => {
  await using own = await startNatsServer();
  await using bus = await open({ url: own.url });
  await makeBucket(bus, 'muster_test_leases');
  const view = new Map<string, string>();
  let resets = 0;
  let ready = 0;
  const kv = bus.kv('leases');
  kv.watch({
    onEntry: (key, value) => (value === undefined ? view.delete(key) : view.set(key, value.holder)),
    onReady: () => ready++,
    onReset: () => {
      resets++;
      view.clear();
    },
  });
  await kv.put('a.a', { ...sampleValue('leases'), source: 'prober/one', holder: 'one' });
  await eventually(() => view.get('a.a') === 'one');

  await own.restart();
  await eventually(() => ready === 2);
  expect([...view]).toEqual([['a.a', 'one']]);
  expect(resets).toBe(1);

  await own.restart({ wipe: true });
  await bus.connected();
  await eventually(async () => {
    await makeBucket(bus, 'muster_test_leases');
    return true;
  });
  await eventually(() => ready === 3);
  expect([...view]).toEqual([]);
  await kv.put('b.b', { ...sampleValue('leases'), source: 'prober/two', holder: 'two' });
  await eventually(() => view.get('b.b') === 'two');
});

test('it connects when the server comes, and subscriptions survive', async () => {
  const port = await freePort();
  const bus = openBus({ servers: `nats://127.0.0.1:${port}`, ...identities.as(OPERATOR) });
  const events: boolean[] = [];
  bus.onConnection(({ connected }) => events.push(connected));
  let heard = 0;
  bus.subscribe(rows.hostPresence, {}, () => heard++);
  await expect(bus.request(commands.stop, HOST, sampleRequest('stop'), { timeoutMs: 100 })).rejects.toThrow(
    BusAwayError,
  );
  bus.publish(rows.hostPresence, HOST, sample('hostPresence'));
  expect(bus.counters.dropped).toBe(1);
  await expect(bus.connected(AbortSignal.timeout(20))).rejects.toThrow(/timeout/);

  await using late = await startNatsServer({ ...WITHOUT_KEYS, port });
  await bus.connected();
  await late.kill();
  await eventually(() => !bus.isConnected);
  expect(bus.connectedSinceMs).toBeUndefined();
  await late.restart();
  await bus.connected();
  bus.publish(rows.hostPresence, HOST, sample('hostPresence'));
  await eventually(() => heard === 1);
  expect(events).toEqual([true, false, true]);
  await bus.drain();
});

test('after the end nobody waits for a connection', async () => {
  const bus = openBus({ servers: 'nats://127.0.0.1:1', environment: 'test', role: 'operator', id: 'ada' });
  const failure = bus.connected().catch((error: unknown) => error);
  await bus.drain();
  expect(await failure).toMatchObject({ message: 'cannot connect to the bus: it was closed' });
  await expect(bus.connected()).rejects.toThrow('it was closed');
});

test('what waits for an answer learns at once that the connection is lost', async () => {
  await using own = await startNatsServer(WITHOUT_KEYS);
  await using pair = await openPair(own.url);
  const { operator, agent } = pair;
  agent.respond(commands.stop, HOST, () => new Promise(() => {}));
  await agent.flush();
  const asked = operator.request(commands.stop, HOST, sampleRequest('stop'), { timeoutMs: 60_000 });
  const failure = asked.catch((error: unknown) => error);
  await operator.flush();
  await own.kill();
  expect(await failure).toMatchObject({ name: 'BusAwayError', isOutcomeUnknown: true });
});

test('wrong credentials are told, and tried again', async () => {
  await using guarded = await startNatsServer({ config: 'authorization { token: secret }' });
  await using bus = openBus({ servers: guarded.url, environment: 'test', role: 'agent', id: 'web1' });
  await expect(bus.connected()).rejects.toThrow(
    /cannot connect to the bus 'nats:.*Authorization Violation.*: check the credentials/,
  );
  await guarded.restart({ config: '' });
  await eventually(() => bus.isConnected);
});

test('a creds file that is missing is told', async () => {
  await using bus = openBus({
    servers: server.url,
    environment: 'test',
    role: 'agent',
    id: 'a',
    credentialsFile: '/no/such.creds',
  });
  await expect(bus.connected()).rejects.toThrow("cannot read '/no/such.creds'");
});

test('what is told of an address leaves its password out', async () => {
  const told: string[] = [];
  await using bus = openBus({
    servers: ['nats://ada:secret@127.0.0.1:1', 'nats://127.0.0.1:1'],
    environment: 'test',
    role: 'operator',
    id: 'ada',
    credentialsFile: '/no/such.creds',
    onProblem: ({ reason }) => told.push(reason),
  });
  await expect(bus.connected()).rejects.toMatchObject({ servers: ['nats://…@127.0.0.1:1', 'nats://127.0.0.1:1'] });
  expect(told).toEqual([expect.stringContaining("bus 'nats://…@127.0.0.1:1, nats://127.0.0.1:1'")]);
});
