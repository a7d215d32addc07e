/* `muster bus guard` against a real nats-server with keys: a thief with the credentials of web2, and hosts that only work. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bucketName, buildSubject, observerConsumer, type RetentionChanges, rows, streamName } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus, openBus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import type { Identity } from '@muster/contracts/keys';
import { eventually, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readSettings } from '../src/config.ts';
import { FLOOD_LIMITS } from '../src/guard/flood-limits.ts';
import { Guard } from '../src/guard/guard.ts';
import { runCli } from './run-cli.ts';
import { componentEvent, instanceStatus } from './samples.ts';
import { startTestBus, type TestBus } from './test-bus.ts';

const ENVIRONMENT = 'development';
const ADMIN = { role: 'admin', id: 'setup' } as const;
const WEB2 = { role: 'agent', id: 'web2' } as const;
const DB1 = { role: 'agent', id: 'db1' } as const;
const THIEF = fileURLToPath(import.meta.resolve('../../contracts/test/fixtures/thief.mjs'));
const ACKNOWLEDGED = fileURLToPath(import.meta.resolve('../../contracts/test/fixtures/acknowledged.mjs'));
const LONG = { timeoutMs: 50_000 };
const MIB = 1024 * 1024;
/** So that a test need not write hundreds of megabytes. */
const SMALL = {
  ...FLOOD_LIMITS,
  bytes: { burst: 8 * MIB, perSecond: 64 * 1024 },
  stored: { burst: 4 * MIB, perSecond: 64 * 1024 },
};

let bus: TestBus;
let admin: NatsBus;
let stolen: TemporaryDirectory;
beforeEach(async () => {
  bus = await startTestBus();
  stolen = await temporaryDirectory();
  admin = await open(ADMIN);
});
afterEach(async () => {
  await admin.drain();
  await bus[Symbol.asyncDispose]();
  await stolen[Symbol.asyncDispose]();
});

const muster = (...args: string[]) => runCli(args, bus.env);
const add = (host: string) => muster('host', 'add', host, '--url', bus.url, '--json');

async function open({ role, id }: Identity, file = credentialsFile(bus.keysDir, { role, id })): Promise<NatsBus> {
  const opened = openBus({ servers: bus.url, credentialsFile: file, environment: ENVIRONMENT, role, id });
  await opened.connected(AbortSignal.timeout(20_000));
  return opened;
}

/** It has looked once, and knows what is there; `run` goes on looking, as the program does. Its lines are what it said. */
async function startGuard(
  env = bus.env,
  { limits = SMALL, readRetention = async (): Promise<RetentionChanges> => ({}) } = {},
) {
  const lines: string[] = [];
  const stop = new AbortController();
  const settings = readSettings({ url: bus.url }, env);
  const guard = await Guard.start({
    settings,
    readRetention,
    bus: admin,
    say: (line) => void lines.push(line),
    limits,
  });
  await guard.look();
  let running: Promise<void> | undefined;
  return {
    lines,
    look: () => guard.look(),
    run: () => {
      running = guard.run(stop.signal);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await guard[Symbol.asyncDispose]();
    },
  };
}

/** Floods all that the identity may write to, over four connections, with the credentials that it has now. */
async function startThief({ role, id }: Identity) {
  const credentialsFile = join(stolen.path, `${id}.creds`);
  await copyFile(join(bus.keysDir, `${role}-${id}.creds`), credentialsFile);
  const order = { url: bus.url, environment: ENVIRONMENT, host: id, credentialsFile, seconds: 60 };
  const thief = spawn(process.execPath, [THIEF, JSON.stringify(order)], { stdio: 'ignore' });
  return {
    credentialsFile,
    async [Symbol.asyncDispose]() {
      thief.kill('SIGKILL');
      if (thief.exitCode === null && thief.signalCode === null) await once(thief, 'exit');
    },
  };
}

function statusOf(host: string, instance: number) {
  return instanceStatus({ source: `agent/${host}`, host, service: 'api', instance });
}

async function told(kind: string): Promise<readonly string[]> {
  const events = await admin.history(rows.busEvent, {});
  return events.filter(({ message }) => message.kind === kind).map(({ message }) => message.reason);
}

test('who floods is cut off and what it invented is purged; nobody else notices', async () => {
  for (const host of ['web2', 'db1']) expect(await add(host)).toMatchObject({ code: 0 });
  const [web2, db1] = await Promise.all([open(WEB2), open(DB1)]);
  for (const own of [web2, db1]) {
    const told = { ...componentEvent(), source: `agent/${own.id}` };
    await own.publishOrdered(rows.hostEvent, { host: own.id }, told, { expectedLastSeq: 0 });
    await own.kv('status').put(`${own.id}.api.0`, statusOf(own.id, 0));
  }
  const since = db1.connectedSinceMs;
  await using guard = await startGuard();
  await using thief = await startThief(WEB2);
  guard.run();
  const [reason] = await eventually(async () => {
    const reasons = await told('flood-stopped');
    expect(reasons).toHaveLength(1);
    return reasons;
  }, LONG);
  expect(reason).toMatch(/^agent\/web2 floods the bus: it has .*agent\/web2 is cut off: .*purged \d+ messages in /u);
  expect(guard.lines.join('\n')).toContain('muster host add web2, and its line on that host');
  await expect(open(WEB2, thief.credentialsFile)).rejects.toThrow(/uthori[sz]ation/u);

  const { state } = await admin.callJetStream<{ state: { subjects: object } }>(
    `STREAM.INFO.KV_${bucketName(ENVIRONMENT, 'status')}`,
    { subjects_filter: '>' },
  );
  expect(Object.keys(state.subjects).filter((subject) => subject.includes('junk'))).toEqual([]);
  expect(await admin.kv('status').get('db1.api.0')).toBeDefined();
  expect(await admin.history(rows.hostEvent, { host: 'db1' })).toHaveLength(1);
  // Nobody else was touched, and who is let in again comes with another key.
  expect(db1.connectedSinceMs).toBe(since);
  expect(JSON.parse((await add('web2')).stdout)).toMatchObject({ host: 'web2', isNew: true });
  await using again = await open(WEB2);
  await again.flush();
  await Promise.all([web2.drain(), db1.drain()]);
});

test('a key of this very machine is replaced: its own program goes on with the new one', async () => {
  await using web1 = await open({ role: 'agent', id: 'web1' });
  await using guard = await startGuard();
  await using _thief = await startThief({ role: 'agent', id: 'web1' });
  guard.run();
  await eventually(() => expect(guard.lines.join('\n')).toContain('its program here has a new one'), LONG);
  await eventually(() => expect(web1.isConnected).toBe(true));
  await web1.publishOrdered(
    rows.hostEvent,
    { host: 'web1' },
    { ...componentEvent(), source: 'agent/web1' },
    { expectedLastSeq: 0 },
  );
});

test('where the keys are not, it is told and purged', async () => {
  expect(await add('web2')).toMatchObject({ code: 0 });
  await using elsewhere = await temporaryDirectory();
  await using guard = await startGuard({ ...bus.env, MUSTER_STATE_DIR: elsewhere.path });
  expect(guard.lines.join('\n')).toContain('there are no keys of the bus');
  await using _thief = await startThief(WEB2);
  guard.run();
  const [reason] = await eventually(async () => {
    const reasons = await told('flood-stopped');
    expect(reasons.length).toBeGreaterThan(0);
    return reasons;
  }, LONG);
  expect(reason).toMatch(/muster host remove web2 where they are; purged \d+ messages in /u);
});

test('a stream that is gone or changed is made again, and that, as one that was emptied, is told', async () => {
  await using guard = await startGuard();
  const [events, audit] = [streamName(ENVIRONMENT, 'events'), streamName(ENVIRONMENT, 'audit')];
  const status = `KV_${bucketName(ENVIRONMENT, 'status')}`;
  await using web1 = await open({ role: 'agent', id: 'web1' });
  for (let key = 0; key < 200; key += 1) await web1.kv('status').put(`web1.api.${key}`, statusOf('web1', key));
  const info = (name: string) => admin.callJetStream<{ config: object }>(`STREAM.INFO.${name}`);
  const { config } = await info(audit);
  await guard.look();
  await admin.callJetStream(`STREAM.DELETE.${events}`);
  await admin.callJetStream(`STREAM.UPDATE.${audit}`, { ...config, max_msgs: 1 });
  await admin.callJetStream(`STREAM.PURGE.${status}`);
  await guard.look();
  expect(await info(events)).toBeDefined();
  expect((await info(audit)).config).toMatchObject({ max_msgs: -1 });
  expect((await told('streams-remade')).join()).toMatch(
    `${events} was gone, with all that it held; ${audit} (max_msgs)`,
  );
  expect((await told('stream-emptied')).join()).toBe(`somebody has emptied ${status}: what it held is lost`);
  // And that was all.
  const said = guard.lines.length;
  await guard.look();
  expect(guard.lines).toHaveLength(said);
});

test('what the server acknowledges in the name of another turns the guard against nobody', async () => {
  for (const host of ['web2', 'db1']) expect(await add(host)).toMatchObject({ code: 0 });
  await using db1 = await open(DB1);
  const since = db1.connectedSinceMs;
  await using guard = await startGuard(bus.env, {
    limits: { ...SMALL, stored: { burst: 100 * 1024, perSecond: 1 } },
  });
  const order = { url: bus.url, environment: ENVIRONMENT, host: 'web2', aimedAt: 'db1' };
  const credentials = { credentialsFile: credentialsFile(bus.keysDir, WEB2) };
  const thief = spawn(process.execPath, [ACKNOWLEDGED, JSON.stringify({ ...order, ...credentials })], {
    stdio: 'ignore',
  });
  const over = once(thief, 'exit');
  await eventually(async () => {
    await guard.look();
    return (await told('flood-stopped')).length > 0;
  }, LONG);
  await over;
  for (let look = 0; look < 3; look += 1) await guard.look();
  const aimed = buildSubject(ENVIRONMENT, rows.hostEvent.template, { host: 'db1' });
  const { state } = await admin.callJetStream<{ state: { subjects?: Record<string, number> } }>(
    `STREAM.INFO.${streamName(ENVIRONMENT, 'events')}`,
    { subjects_filter: aimed },
  );
  expect(state.subjects?.[aimed]).toBeGreaterThan(1_000);
  const reasons = await told('flood-stopped');
  expect(reasons).toMatchObject([expect.stringMatching(/^agent\/web2 .* is cut off/u)]);
  expect(db1.connectedSinceMs).toBe(since);
  await db1.flush();
});

test('a set-up with another retention, which is written down, is not undone', async () => {
  let retention: RetentionChanges = {};
  await using guard = await startGuard(bus.env, { readRetention: async () => retention });
  retention = { logs: { maxAgeSeconds: 3_600 } };
  await setupBus(admin, { retention });
  await guard.look();
  const logs = streamName(ENVIRONMENT, 'logs');
  const { config } = await admin.callJetStream<{ config: { max_age: number } }>(`STREAM.INFO.${logs}`);
  expect(config.max_age).toBe(3_600e9);
  expect(guard.lines).toEqual([]);
});

test('what observers hear alerts by is made again, and that is told', async () => {
  const consumer = `${streamName(ENVIRONMENT, 'alerts')}.${observerConsumer('alerts')}`;
  await admin.callJetStream(`CONSUMER.DELETE.${consumer}`);
  await using guard = await startGuard();
  await admin.callJetStream(`CONSUMER.INFO.${consumer}`);
  expect((await told('streams-remade')).join()).toBe(
    'what observers hear alerts by was gone, and is made again: alerts',
  );
  expect(guard.lines).toHaveLength(1);
});

test('a server that an update has left with its old configuration is started again for what it must store', async () => {
  const file = join(bus.env['MUSTER_STATE_DIR'] ?? '', 'nats/nats.conf');
  const config = await readFile(file, 'utf8');
  const logs = streamName(ENVIRONMENT, 'logs');
  await admin.callJetStream(`STREAM.DELETE.${logs}`);
  await bus.server.restart({ config: config.replace(/max_file_store: \d+/u, 'max_file_store: 1000000000') });
  await admin.connected(AbortSignal.timeout(20_000));
  const { pid } = bus.server;
  const settingUp = muster('bus', 'setup');
  // As its agent does, once it has ended.
  await eventually(() => expect(existsSync(`/proc/${pid}`)).toBe(false));
  await bus.server.restart({ config });
  const { code, stdout, stderr } = await settingUp;
  expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('was started again') });
  expect(stdout).toContain(`created ${logs}`);
});
