/*
 * A body that names somebody else than its subject or key does: tried with each field of each row, question and bucket
 * that says again what the subject says, as the wire declares them.
 */
import {
  type BucketName,
  bucketName,
  buckets,
  buildSubject,
  commands,
  type RequestRow,
  type Row,
  type RowName,
  rows,
} from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { BadReplyError, InvalidMessageError, openBus } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import { eventually, startNatsServer } from '@muster/testkit';
import { connect } from '@nats-io/transport-node';
import { describe, expect, test } from 'vitest';
import { type Names, paramsIn, whyForeign } from '../src/names.ts';
import { agreeing, change, fileOf, golden, sampleKey, sampleReply, sampleRequest } from './golden.ts';
import { TestIdentities, WITHOUT_KEYS } from './identities.ts';

const environment = 'test';
const LISTENER = { role: 'admin', id: 'listener' } as const;
const P1 = { role: 'prober', id: 'p1' } as const;
const WEB1 = { role: 'agent', id: 'web1' } as const;
const ADA = { role: 'operator', id: 'ada' } as const;
const EXAMPLE = {
  host: 'web1',
  service: 'rag-api',
  instance: 0,
  prober: 'p1',
  dashboard: 'd1',
  monitor: 'k6',
  severity: 'critical',
  rule: 'unhealthy',
};
const ROWS = Object.entries<Row>(rows) as [RowName, Row][];
const BUCKETS = Object.keys(buckets) as BucketName[];

/** What stands there in a forged body: as valid as the true one, and of somebody else. */
function other(old: unknown): unknown {
  if (typeof old === 'number') return old + 1;
  const text = String(old);
  const others: Readonly<Record<string, string>> = { critical: 'info', '1m': '15m', '15m': '2h', '2h': '1m' };
  if (others[text] !== undefined) return others[text];
  if (text === 'agent') return 'prober';
  if (text === 'prober' || text === 'monitor') return 'agent';
  if (text === 'revocations' || text === 'services') return 'alerts';
  if (/^(agent|prober|dashboard|monitor)\/[^/]*$/.test(text)) return `${text}2`;
  if (/^operator\/[^/]*$/.test(text)) return 'agent/web1';
  return text.includes('/') ? `db1/${text}` : 'db1';
}

/** One forgery for each field that says something again. */
function forgeries(names: Names, message: object): readonly (readonly [path: string, forged: object])[] {
  return Object.keys(names).flatMap((path) => {
    let isThere = false;
    const forged = structuredClone(message);
    change(forged, path.split('.'), (old) => {
      isThere = true;
      return path === 'source' && !String(old).startsWith('operator/') ? forgedSource(names, String(old)) : other(old);
    });
    return isThere ? [[path, forged] as const] : [];
  });
}

/** Where the subject does not name the sender, any of the role is right: then it is of another role. */
function forgedSource(names: Names, old: string): string {
  const isOpen = ([names['source']].flat() as readonly string[]).some((form) => form.endsWith('*'));
  return isOpen ? 'observer/pager' : String(other(old));
}

describe.each(ROWS)('%s', (_name, { template, names, publishers }) => {
  test('says all of its subject again, itself or by its source', () => {
    const said = Object.values(names).flat().flatMap(paramsIn);
    for (const param of paramsIn(template)) expect(said).toContain(param);
    expect(names['source']).toHaveLength(publishers.length);
  });
});

test('nobody can send a message that speaks for somebody else, and nobody takes one', async () => {
  await using server = await startNatsServer(WITHOUT_KEYS);
  await using identities = await TestIdentities.mint(environment, [LISTENER, P1]);
  const problems: string[] = [];
  const onProblem = ({ kind, reason }: { kind: string; reason: string }) => void problems.push(`${kind} ${reason}`);
  await using bus = openBus({ servers: server.url, ...identities.as(LISTENER), onProblem });
  await using prober = openBus({ servers: server.url, ...identities.as(P1) });
  await Promise.all([bus.connected(), prober.connected()]);
  await setupBus(bus);
  const heard: string[] = [];
  for (const [name, row] of ROWS) bus.subscribe(row, {}, () => void heard.push(name));
  await bus.flush();

  let sent = 0;
  for (const [name, row] of ROWS) {
    const message = golden(`messages/${fileOf(name)}`);
    const speaker = row.isSigned ? prober : bus;
    const all = forgeries(row.names, message);
    expect(all.length, name).toBeGreaterThan(0);
    for (const [path, forged] of all) {
      expect(() => speaker.publish(row, EXAMPLE, forged), `${name}: ${path}`).toThrow(InvalidMessageError);
      // As a program that compares nothing sends it. A signed message says itself who it is from: that is forged.
      speaker.publish({ ...row, names: {} }, EXAMPLE, forged);
      sent += 1;
    }
  }
  await prober.flush();
  await eventually(() => bus.counters.foreign >= sent, { message: 'each is counted' });
  expect(bus.counters).toMatchObject({ foreign: sent, malformed: 0, forged: 0 });
  expect(heard).toEqual([]);

  // Out of the streams, and beside what is good.
  for (const [name, row] of ROWS) {
    if (row.kind !== 'stream') continue;
    const { foreign } = bus.counters;
    expect(await bus.history(row, {}), name).toEqual([]);
    expect(bus.counters.foreign, name).toBe(foreign + forgeries(row.names, golden(`messages/${fileOf(name)}`)).length);
    const speaker = row.isSigned ? prober : bus;
    speaker.publish(row, EXAMPLE, golden(`messages/${fileOf(name)}`));
    await eventually(async () => (await bus.history(row, {})).length === 1, { message: name });
  }
});

test('an entry that speaks for another key is not put, and not taken', async () => {
  await using server = await startNatsServer(WITHOUT_KEYS);
  await using identities = await TestIdentities.mint(environment, [LISTENER]);
  await using bus = openBus({ servers: server.url, ...identities.as(LISTENER) });
  await bus.connected();
  await setupBus(bus);
  const raw = await connect({ servers: server.url });
  for (const name of BUCKETS) {
    const value = golden(`buckets/${name}`);
    const key = sampleKey(name);
    const kv = bus.kv(name);
    const seen: unknown[] = [];
    using _watch = disposable(
      kv.watch({ onEntry: (at) => seen.push(at), onReady: () => seen.push('ready'), onReset: () => {} }),
    );
    await eventually(() => seen.includes('ready'));
    for (const [path, forged] of forgeries(buckets[name].names, value)) {
      await expect(kv.put(key, forged as never), `${name}: ${path}`).rejects.toThrow(InvalidMessageError);
      const { foreign } = bus.counters;
      await raw.request(`$KV.${bucketName(environment, name)}.${key}`, JSON.stringify(forged), { timeout: 10_000 });
      await eventually(() => bus.counters.foreign > foreign, { message: `${name}: ${path} is counted` });
      expect(await kv.get(key), `${name}: ${path}`).toBeUndefined();
    }
    await kv.put(key, value as never);
    await eventually(() => seen.length === 2, { message: name });
    expect(seen).toEqual(['ready', key]);
  }
  await expect(bus.kv('status').put('web1.rag-api', golden('buckets/status') as never)).rejects.toThrow(
    "not a key of '{host}.{service}.{instance}'",
  );
  await raw.close();
});

function disposable(subscription: { stop(): void }): Disposable {
  return { [Symbol.dispose]: () => subscription.stop() };
}

test('of one host so many keys are taken, none that is too fat, and the rest is counted', async () => {
  await using server = await startNatsServer(WITHOUT_KEYS);
  await using identities = await TestIdentities.mint(environment, [LISTENER]);
  await using bus = openBus({ servers: server.url, ...identities.as(LISTENER) });
  await bus.connected();
  await setupBus(bus);
  const raw = await connect({ servers: server.url });
  const put = (host: string, service: string, changes: object = {}) => {
    const value = { ...golden('buckets/specs'), host, service, source: `agent/${host}`, ...changes };
    raw.publish(`$KV.${bucketName(environment, 'specs')}.${host}.${service}._`, JSON.stringify(value));
  };
  const many = 1_300;
  for (let i = 0; i < many; i++) put('web1', `s${i}`);
  for (let i = 0; i < 20; i++) put('web1', `fat${i}`, { command: 'x'.repeat(500_000) });
  put('web1', 'endless', { instances: 300_000_000 });
  put('db1', 'api');
  await raw.flush();
  let excess = 0;
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  using _watch = disposable(
    bus.kv('specs').watch({
      onEntry: () => {},
      onReady: () => {},
      onReset: () => {},
      onExcess: (_host, count) => (excess = count),
    }),
  );
  await fleet.ready(AbortSignal.timeout(30_000));
  await eventually(() => excess > 0);
  const { specs, excess: notTaken } = fleet.snapshot();
  expect(specs.size).toBe(512 + 1);
  expect(specs.has('db1.api._')).toBe(true);
  expect([...notTaken]).toEqual([['web1', many - 512]]);
  await eventually(() => bus.counters.oversize >= 20 + many - 512);
  // One that is gone makes room for another.
  await bus.kv('specs').delete('web1.s0._');
  await eventually(() => specs.size === 512);
  put('web1', 'new');
  await eventually(() => specs.has('web1.new._'));
  await raw.close();
});

test.each([
  ['a verdict on another host', commands.verdict, { 'verdict.host': 'db1' }],
  ['a question of somebody else', commands.stop, { source: 'operator/eve' }],
])('%s is refused before anybody acts on it', async (_what, row: RequestRow, changes) => {
  await using server = await startNatsServer(WITHOUT_KEYS);
  await using identities = await TestIdentities.mint(environment, [WEB1, ADA, P1]);
  await using agent = openBus({ servers: server.url, ...identities.as(WEB1) });
  const asker = row.requesters.includes('prober') ? P1 : ADA;
  await using bus = openBus({ servers: server.url, ...identities.as(asker) });
  await Promise.all([bus.connected(), agent.connected()]);
  let acted = 0;
  agent.respond(row, { host: 'web1' }, async () => {
    acted += 1;
    return sampleReply('stop', 'web1');
  });
  await agent.flush();
  const verb = row.template.split('.').at(-1) as 'stop' | 'verdict';
  const forged = sampleRequest(verb, `${asker.role}/${asker.id}`);
  for (const [path, value] of Object.entries(changes)) change(forged, path.split('.'), () => value);
  const soon = { timeoutMs: 10_000 };
  await expect(bus.request(row, { host: 'web1' }, forged, soon)).rejects.toThrow(InvalidMessageError);
  const blind = { ...row, names: { request: {}, reply: {} } };
  expect(await bus.request({ ...blind, reply: row.reply }, { host: 'web1' }, forged, soon)).toMatchObject({
    accepted: false,
    code: 'forbidden',
  });
  expect(acted).toBe(0);
  expect(agent.counters.foreign).toBe(1);
});

test.each([
  ['status', 'instances[].host', 'db1'],
  ['why', 'status.service', 'other'],
  ['why', 'events[].instance', 7],
  ['why', 'source', 'agent/db1'],
] as const)('an answer to %s whose %s is another is none', async (verb, path, value) => {
  await using server = await startNatsServer(WITHOUT_KEYS);
  await using identities = await TestIdentities.mint(environment, [WEB1, ADA]);
  await using agent = openBus({ servers: server.url, ...identities.as(WEB1) });
  await using bus = openBus({ servers: server.url, ...identities.as(ADA) });
  await Promise.all([bus.connected(), agent.connected()]);
  const row: RequestRow = commands[verb];
  const lie = sampleReply(verb, 'web1');
  change(lie, path.split('.'), () => value);
  agent.respond({ ...row, names: { request: {}, reply: {} } }, { host: 'web1' }, async () => lie);
  await agent.flush();
  const asked = bus.request(row, { host: 'web1' }, sampleRequest(verb), { timeoutMs: 10_000 });
  await expect(asked).rejects.toThrow(BadReplyError);
  expect(bus.counters.foreign).toBe(1);
});

test('an absent field says nothing, and what is not asked for is left open', () => {
  expect(whyForeign({ 'a.b': '{host}' }, { host: 'web1' }, {})).toBeUndefined();
  expect(whyForeign({ a: '{instance}' }, {}, { a: 3 })).toBeUndefined();
  expect(whyForeign({ a: ['x/{host}', 'y/*'] }, { host: 'web1' }, { a: 'y/' })).toBe(
    "a: is 'y/', where its subject or key says 'x/web1' or 'y/…'",
  );
  expect(agreeing({ a: '{host}' }, { host: 'web1' }, { a: 'db1' })).toEqual({ a: 'web1' });
  expect(buildSubject(environment, rows.hostEvent.template, EXAMPLE)).toContain('web1');
});
