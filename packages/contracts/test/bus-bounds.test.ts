/*
 * Whatever one identity does with its own credentials stays its own affair: what others have stored is there afterwards, and
 * the server stays within what it was given. Each case is an attack that once reached further.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bucketName, buckets, buildSubject, rows, streamName, type ValueOf } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus, openBus } from '@muster/contracts/bus';
import { credentialsFile } from '@muster/contracts/files';
import { type Identity, mintKeys, natsServerConfig } from '@muster/contracts/keys';
import {
  eventually,
  type NatsServer,
  startNatsServer,
  type TemporaryDirectory,
  temporaryDirectory,
} from '@muster/testkit';
import { connect, credsAuthenticator, headers, type NatsConnection } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import layout1 from './fixtures/layout-1.json' with { type: 'json' };
import { agreeing, sample, sampleValue } from './golden.ts';

const environment = 'test';
const ADMIN = { role: 'admin', id: 'setup' } as const;
const WEB1 = { role: 'agent', id: 'web1' } as const;
const DB1 = { role: 'agent', id: 'db1' } as const;
const PROBER = { role: 'prober', id: 'p1' } as const;
const OBSERVER = { role: 'observer', id: 'pager' } as const;
const IDENTITIES: readonly Identity[] = [ADMIN, WEB1, DB1, PROBER, OBSERVER];

let directory: TemporaryDirectory;
let server: NatsServer;
let admin: NatsBus;

beforeAll(async () => {
  directory = await temporaryDirectory();
  const { trust } = await mintKeys({ directory: directory.path, environment, identities: IDENTITIES });
  const storeDir = join(directory.path, 'jetstream');
  const config = natsServerConfig({ environment, host: '127.0.0.1', port: 4222, storeDir, trust });
  server = await startNatsServer({ config, storeDir });
  admin = await open(ADMIN);
});
afterAll(async () => {
  await admin.drain();
  await server[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

async function open(identity: Identity): Promise<NatsBus> {
  const { role, id } = identity;
  const file = credentialsFile(directory.path, identity);
  const bus = openBus({ servers: server.url, credentialsFile: file, environment, role, id });
  await bus.connected(AbortSignal.timeout(20_000));
  return bus;
}

/** A client without rules of its own, with the credentials of somebody. */
async function openRaw(identity: Identity): Promise<NatsConnection> {
  const authenticator = credsAuthenticator(await readFile(credentialsFile(directory.path, identity)));
  return connect({ servers: server.url, authenticator, inboxPrefix: `_INBOX.${identity.role}.${identity.id}` });
}

/** A valid value of an instance's key. */
function valueAt<B extends 'status' | 'health'>(name: B, host: string, service: string): ValueOf<B> {
  return agreeing(buckets[name].names, { host, service, instance: 0 }, sampleValue(name)) as ValueOf<B>;
}

interface Info {
  readonly config: Record<string, number | string | boolean>;
  readonly state: { readonly messages: number; readonly subjects?: Record<string, number> };
}

function info(name: string, subjectsFilter = '>'): Promise<Info> {
  return admin.callJetStream<Info>(`STREAM.INFO.${name}`, { subjects_filter: subjectsFilter });
}

test('a bus of the layout before is brought to this one with everything that is in it', async () => {
  for (const config of layout1) await admin.callJetStream(`STREAM.CREATE.${config.name}`, config);
  const [web1, prober] = await Promise.all([open(WEB1), open(PROBER)]);
  await web1.publishOrdered(rows.hostEvent, { host: 'web1' }, sample('hostEvent', { host: 'web1' }), {
    expectedLastSeq: 0,
  });
  await web1.publishOrdered(rows.hostAudit, { host: 'web1' }, sample('hostAudit', { host: 'web1' }), {
    expectedLastSeq: 0,
  });
  await web1.kv('status').put('web1.api.0', valueAt('status', 'web1', 'api'));
  await web1.kv('status').put('web1.gone.0', valueAt('status', 'web1', 'gone'));
  await web1.kv('status').delete('web1.gone.0');
  const { revision } = await prober.kv('health').put('web1.api.0', valueAt('health', 'web1', 'api'));
  for (let version = 0; version < 3; version += 1) await admin.kv('config').put('services', sampleValue('config'));
  const before = await Promise.all(layout1.map(({ name }) => info(name)));

  const { created, updated } = await setupBus(admin);
  expect({ created, updated: updated.length }).toEqual({ created: [], updated: layout1.length });
  expect((await setupBus(admin)).updated).toEqual([]);
  const after = await Promise.all(layout1.map(({ name }) => info(name)));
  expect(after.map(({ state }) => state.subjects)).toEqual(before.map(({ state }) => state.subjects));
  expect(await admin.history(rows.hostEvent, {})).toMatchObject([{ seq: 1 }]);
  expect(await admin.kv('status').get('web1.api.0')).toMatchObject({ revision: 1 });
  expect(await admin.kv('status').get('web1.gone.0')).toBeUndefined();
  // Whoever writes by revision goes on where he was.
  expect(await prober.kv('health').update('web1.api.0', valueAt('health', 'web1', 'api'), revision)).toBeDefined();

  await server.restart();
  await admin.connected();
  await eventually(async () => expect((await info('KV_muster_test_config')).state.messages).toBe(3));
  await Promise.all([web1.drain(), prober.drain()]);
});

test('every stream and bucket has a bound of everything', async () => {
  await setupBus(admin);
  for (const { name } of layout1) {
    const { config } = await info(name);
    expect(config['max_bytes'], name).toBeGreaterThan(0);
    expect(config['max_msg_size'], name).toBeGreaterThan(0);
    expect(config['max_msgs_per_subject'], name).toBeGreaterThan(0);
    expect(config['allow_rollup_hdrs'] ?? false, name).toBe(false);
  }
});

test.each(['all', 'sub'])("a rollup of '%s' on a key of one's own takes away nobody's keys", async (rollup) => {
  await using db1 = await open(DB1);
  await db1.kv('status').put('db1.api.0', valueAt('status', 'db1', 'api'));
  await using thief = await openRaw(WEB1);
  const own = headers();
  own.set('Nats-Rollup', rollup);
  const key = `$KV.${bucketName(environment, 'status')}.web1.api.0`;
  const answer = (await thief.request(key, '{}', { headers: own, timeout: 10_000 })).json<{
    error?: { description: string };
  }>();
  expect(answer.error?.description).toMatch(/rollup/);
  expect(await admin.kv('status').get('db1.api.0')).toBeDefined();
});

test("what the server acknowledges, aimed at another's subjects, pushes out nothing of that one", async () => {
  await using db1 = await open(DB1);
  await db1.publishOrdered(rows.hostAudit, { host: 'db1' }, sample('hostAudit', { host: 'db1' }), {
    expectedLastSeq: 0,
  });
  await using thief = await openRaw(WEB1);
  const subjectOf = (row: 'hostAudit' | 'hostRollup2h', host: string) =>
    buildSubject(environment, rows[row].template, { host });
  const large = await thief.request(subjectOf('hostAudit', 'web1'), 'x'.repeat(256 * 1024));
  expect(large.json<{ error?: unknown }>().error).toBeDefined();
  const acknowledged = 20_000;
  for (let sent = 1; sent <= acknowledged; sent += 1) {
    thief.publish(subjectOf('hostAudit', 'web1'), '{}', { reply: subjectOf('hostAudit', 'db1') });
    if (sent % 4 === 0)
      thief.publish(subjectOf('hostAudit', 'web1'), '{}', { reply: subjectOf('hostRollup2h', 'db1') });
    // Newer servers drop what comes faster than it is stored, unless somebody waits for it.
    if (sent % 1_000 === 0) await thief.request(subjectOf('hostAudit', 'web1'), '{}');
  }
  const kept = async (stream: 'audit' | 'rollup-2h', subject: string) =>
    (await info(streamName(environment, stream), subject)).state.subjects?.[subject];
  await eventually(async () => (await kept('audit', subjectOf('hostAudit', 'db1'))) === acknowledged + 1);
  await eventually(async () => (await kept('rollup-2h', subjectOf('hostRollup2h', 'db1'))) === acknowledged / 4);
  expect(await admin.history(rows.hostAudit, { host: 'db1' })).toHaveLength(1);
});

test('a value is no larger than its bucket takes', async () => {
  await using thief = await openRaw(WEB1);
  for (const name of ['specs', 'status'] as const) {
    const key = `$KV.${bucketName(environment, name)}.web1.junk.0`;
    const answer = (await thief.request(key, 'x'.repeat(buckets[name].maxBytes * 2))).json<{ error?: unknown }>();
    expect(answer.error, name).toBeDefined();
  }
});

test.each([WEB1, OBSERVER])('$role has no more subscriptions than it needs', async (identity) => {
  await using thief = await openRaw(identity);
  const refusals: string[] = [];
  const problems = (async () => {
    for await (const status of thief.status()) if (status.type === 'error') refusals.push(status.error.message);
  })();
  const subject =
    identity === WEB1 ? `muster.v1.${environment}.command.web1` : `_INBOX.${identity.role}.${identity.id}`;
  for (let made = 0; made < 2_000; made += 1) thief.subscribe(`${subject}.${made}`);
  await eventually(() => expect(refusals.some((text) => /maximum subscriptions/i.test(text))).toBe(true));
  await thief.close();
  await problems;
});
