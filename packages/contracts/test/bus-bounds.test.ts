/*
 * Whatever one identity does with its own credentials stays its own affair: what others have stored is there afterwards, and
 * the server stays within what it was given. Each case is an attack that once reached further.
 */
import { bucketName, buckets, buildSubject, rows, streamName, type ValueOf } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus } from '@muster/contracts/bus';
import { type Identity } from '@muster/contracts/keys';
import { TestBus } from '@muster/contracts/testing';
import { eventually } from '@muster/testkit';
import { headers, type NatsConnection } from '@nats-io/transport-node';
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

let testBus: TestBus;
let admin: NatsBus;

beforeAll(async () => {
  testBus = await TestBus.start(IDENTITIES, { isEmpty: true });
  admin = await testBus.connect(ADMIN);
});
afterAll(async () => {
  await admin.drain();
  await testBus[Symbol.asyncDispose]();
});

/** A client without rules of its own, with the credentials of somebody. */
function openRaw(identity: Identity): Promise<NatsConnection> {
  return testBus.connectRaw(identity, { inboxPrefix: `_INBOX.${identity.role}.${identity.id}` });
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
  const [web1, prober] = await Promise.all([testBus.connect(WEB1), testBus.connect(PROBER)]);
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

  await testBus.server.restart();
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
  await using db1 = await testBus.connect(DB1);
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
  await using db1 = await testBus.connect(DB1);
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
