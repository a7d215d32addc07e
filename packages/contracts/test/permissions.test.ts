/* Nobody gets in where they don't belong: each role on a real server, with the credentials that it would have. */
import { readFile } from 'node:fs/promises';
import {
  buildFilter,
  buildSubject,
  commands,
  inboxPrefix,
  permissionsFor,
  proberCommands,
  ROLES,
  type Role,
  rows,
} from '@muster/contracts';
import { type BusProblem, type NatsBus, NoResponderError, PermissionDeniedError } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import { CONTROL_LINE_BYTES, type Identity } from '@muster/contracts/keys';
import { TestBus } from '@muster/contracts/testing';
import { eventually } from '@muster/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { golden, sample, sampleReply, sampleRequest, sampleValue } from './golden.ts';

const environment = 'test';
const WEB1 = { role: 'agent', id: 'web1' } as const;
const DB1 = { role: 'agent', id: 'db1' } as const;
const PROBER = { role: 'prober', id: 'p1' } as const;
const DASHBOARD = { role: 'dashboard', id: 'd1' } as const;
const OPERATOR = { role: 'operator', id: 'ada' } as const;
const OBSERVER = { role: 'observer', id: 'pager' } as const;
const MONITOR = { role: 'monitor', id: 'k6' } as const;
const ADMIN = { role: 'admin', id: 'setup' } as const;
const IDENTITIES: readonly Identity[] = [WEB1, DB1, PROBER, DASHBOARD, OPERATOR, OBSERVER, MONITOR, ADMIN];
const INSTANCE = { host: 'web1', service: 'rag-api', instance: 0 };

let testBus: TestBus;
beforeAll(async () => {
  testBus = await TestBus.start(IDENTITIES);
});
afterAll(async () => {
  await testBus[Symbol.asyncDispose]();
});

function open(identity: Identity, problems: BusProblem[] = []): Promise<NatsBus> {
  return testBus.connect(identity, { onProblem: (problem) => void problems.push(problem) });
}

const EVENT = { expectedLastSeq: 0 };
const soon = { timeoutMs: 10_000 };

test('no verb of the probers is one of the agents: a right to ask all hosts would be a right to ask them', () => {
  expect(Object.keys(proberCommands).filter((verb) => verb in commands)).toEqual([]);
});

test('every role is tried here', () => {
  expect(new Set(IDENTITIES.map(({ role }) => role))).toEqual(new Set<Role>(ROLES));
});

test('the credentials of every role fit into the first line of a connection', async () => {
  for (const identity of IDENTITIES) {
    expect((await readFile(testBus.credentials(identity))).length).toBeLessThan(CONTROL_LINE_BYTES / 2);
  }
});

describe('an agent', () => {
  test('does its work: presence, events, last values, commands, the question whether to recover', async () => {
    const problems: BusProblem[] = [];
    await using agent = await open(WEB1, problems);
    await using prober = await open(PROBER);
    await using operator = await open(OPERATOR);
    let heartbeats = 0;
    prober.subscribe(rows.hostPresence, {}, () => heartbeats++);
    prober.respond(proberCommands.recover, {}, async () => golden('prober-commands/recover.reply') as never);
    agent.respond(commands.stop, { host: 'web1' }, async () => golden('commands/stop.reply') as never);
    await Promise.all([agent.flush(), prober.flush()]);

    agent.publish(rows.hostPresence, { host: 'web1' }, sample('hostPresence'));
    await agent.publishOrdered(rows.instanceEvent, INSTANCE, sample('instanceEvent'), EVENT);
    await agent.kv('status').put('web1.rag-api.0', sampleValue('status'));
    await agent.kv('specs').put('web1.rag-api._', sampleValue('specs'));
    await agent.kv('status').delete('web1.rag-api.0');
    const recover = golden('prober-commands/recover.request') as never;
    expect(await agent.request(proberCommands.recover, {}, recover, soon)).toMatchObject({ granted: true });
    expect(await operator.request(commands.stop, { host: 'web1' }, sampleRequest('stop'), soon)).toMatchObject({
      accepted: true,
    });
    await eventually(() => heartbeats === 1);
    expect(problems).toEqual([]);
  });

  test('cannot speak for another host', async () => {
    const problems: BusProblem[] = [];
    await using agent = await open(WEB1, problems);
    const foreign = { ...INSTANCE, host: 'db1' };
    await expect(
      agent.publishOrdered(rows.instanceEvent, foreign, sample('instanceEvent', foreign), EVENT),
    ).rejects.toThrow(PermissionDeniedError);
    const status = { ...sampleValue('status'), host: 'db1', source: 'agent/db1' };
    await expect(agent.kv('status').put('db1.rag-api.0', status)).rejects.toThrow(PermissionDeniedError);
    await expect(agent.kv('health').put('web1.rag-api.0', sampleValue('health'))).rejects.toThrow(
      PermissionDeniedError,
    );
    agent.publish(rows.hostPresence, { host: 'db1' }, sample('hostPresence', { host: 'db1' }));
    const subject = buildSubject(environment, rows.hostPresence.template, { host: 'db1' });
    await eventually(() => problems.some((problem) => problem.kind === 'permission' && problem.subject === subject));
  });

  test('cannot command anybody, itself included', async () => {
    await using agent = await open(WEB1);
    for (const host of ['web1', 'db1']) {
      const asked = agent.request(commands.stop, { host }, sampleRequest('stop', 'agent/web1'), soon);
      await expect(asked).rejects.toThrow(PermissionDeniedError);
    }
  });

  test('asks who else speaks for its own host, and for no other', async () => {
    await using agent = await open(WEB1);
    const request = sampleRequest('claim', 'agent/web1');
    await expect(agent.request(commands.claim, { host: 'web1' }, request, soon)).rejects.toThrow(NoResponderError);
    await expect(agent.request(commands.claim, { host: 'db1' }, request, soon)).rejects.toThrow(PermissionDeniedError);
    expect(permissionsFor(environment, 'agent', 'web1').publish).not.toContain('muster.v1.test.command.web1.>');
  });

  test.each([
    'INFO',
    'STREAM.INFO.MUSTER_TEST_EVENTS',
    'STREAM.NAMES',
    'CONSUMER.CREATE.MUSTER_TEST_EVENTS',
    'DIRECT.GET.KV_muster_test_status',
  ])('has no JetStream API: %s', async (call) => {
    await using agent = await open(WEB1);
    await expect(agent.callJetStream(call, {})).rejects.toThrow(PermissionDeniedError);
  });

  test.each([
    ["another host's commands", buildFilter(environment, commands.stop.template, { host: 'db1' })],
    ['all commands', 'muster.v1.test.command.>'],
    ['everything', '>'],
    ['all inboxes', '_INBOX.>'],
    ["another's inbox", `${inboxPrefix('operator', 'ada')}.>`],
    ['presence of others', buildFilter(environment, rows.hostPresence.template)],
    ['last values', '$KV.>'],
  ])('cannot listen to %s', async (_what, subject) => {
    const raw = await testBus.connectRaw(WEB1);
    const answer = await new Promise<string>((resolve) => {
      raw.subscribe(subject, { callback: (error) => resolve(error?.message ?? 'heard something') });
    });
    expect(answer).toMatch(/Permissions Violation for Subscription/);
    await raw.close();
  });
});

test('a prober does its work: it follows, judges, alerts, leads', async () => {
  const problems: BusProblem[] = [];
  await using prober = await open(PROBER, problems);
  await using agent = await open(WEB1);
  await agent.kv('status').put('web1.rag-api.0', sampleValue('status'));
  const seen: string[] = [];
  for (const bucket of ['status', 'specs'] as const) {
    prober.kv(bucket).watch({ onEntry: (key) => seen.push(key), onReady: () => seen.push(bucket), onReset: () => {} });
  }
  await eventually(() => seen.includes('status') && seen.includes('specs'));
  expect(seen).toContain('web1.rag-api.0');
  await prober.publishOrdered(rows.health, INSTANCE, sample('health'), EVENT);
  const alert = { severity: 'critical', host: 'web1', service: 'rag-api', rule: 'unhealthy' };
  await prober.publishOrdered(rows.alert, alert, sample('alert', alert), EVENT);
  await prober.kv('health').put('web1.rag-api.0', sampleValue('health'));
  await prober.kv('alerts').put('web1.rag-api.unhealthy', sampleValue('alerts'));
  const lease = await prober.kv('leases').create('probers.leader', sampleValue('leases'));
  expect(await prober.kv('leases').update('probers.leader', sampleValue('leases'), lease?.revision ?? 0)).toBeDefined();
  expect(await prober.kv('leases').get('probers.leader')).toBeDefined();
  prober.publish(rows.proberPresence, { prober: 'p1' }, sample('proberPresence'));
  await prober.publishOrdered(rows.proberProbe, { ...INSTANCE, prober: 'p1' }, sample('proberProbe'), EVENT);
  expect(await prober.history(rows.health, {})).toHaveLength(1);
  // It removes what no agent keeps any more, unless it has changed meanwhile.
  const { revision = 0 } = (await prober.kv('status').get('web1.rag-api.0')) ?? {};
  await agent.kv('status').put('web1.rag-api.0', sampleValue('status'));
  expect(await prober.kv('status').deleteRevision('web1.rag-api.0', revision)).toBe(false);
  expect(await prober.kv('status').deleteRevision('web1.rag-api.0', revision + 1)).toBe(true);
  expect(await prober.kv('status').get('web1.rag-api.0')).toBeUndefined();
  await prober.flush();
  expect(problems).toEqual([]);

  const speaksForHost = prober.publishOrdered(rows.instanceEvent, INSTANCE, sample('instanceEvent'), EVENT);
  await expect(speaksForHost).rejects.toThrow(PermissionDeniedError);
  const speaksForOther = prober.publishOrdered(
    rows.proberEvent,
    { prober: 'p2' },
    sample('proberEvent', { prober: 'p2' }),
    EVENT,
  );
  await expect(speaksForOther).rejects.toThrow(PermissionDeniedError);
});

test.each([DASHBOARD, OPERATOR])('a $role does its work: it follows, reads back, commands', async (identity) => {
  const problems: BusProblem[] = [];
  await using bus = await open(identity, problems);
  await using agent = await open(DB1);
  agent.respond(commands.status, { host: 'db1' }, async () => sampleReply('status', 'db1'));
  await agent.flush();
  let ready = 0;
  for (const bucket of ['specs', 'status', 'health', 'alerts'] as const) {
    bus.kv(bucket).watch({ onEntry: () => {}, onReady: () => ready++, onReset: () => {} });
  }
  await eventually(() => ready === 4);
  const question = sampleRequest('status', `${identity.role}/${identity.id}`);
  expect(await bus.request(commands.status, { host: 'db1' }, question, soon)).toMatchObject({ accepted: true });
  await bus.history(rows.alert, {});
  await bus.history(rows.instanceEvent, {});
  await bus.kv('silences').put('quiet', sampleValue('silences'));
  await bus.flush();
  expect(problems).toEqual([]);
  await expect(bus.kv('status').put('web1.rag-api.0', sampleValue('status'))).rejects.toThrow(PermissionDeniedError);
  await expect(bus.kv('status').delete('web1.rag-api.0')).rejects.toThrow(PermissionDeniedError);
  const verdict = bus.publishOrdered(rows.health, INSTANCE, sample('health'), EVENT);
  await expect(verdict).rejects.toThrow(PermissionDeniedError);
});

test('an operator cannot read the users, tokens and sessions of the dashboard', async () => {
  await using operator = await open(OPERATOR);
  for (const bucket of ['users', 'tokens', 'sessions'] as const) {
    await expect(operator.kv(bucket).get('ada')).rejects.toThrow(PermissionDeniedError);
  }
});

test('an observer hears alerts, and nothing else', async () => {
  const problems: BusProblem[] = [];
  await using observer = await open(OBSERVER, problems);
  await using prober = await open(PROBER);
  const heard: string[] = [];
  observer.subscribe(rows.alert, {}, (_alert, { severity }) => heard.push(severity));
  observer.subscribe(rows.hostPresence, {}, () => heard.push('presence'));
  observer.subscribe(rows.instanceEvent, {}, () => heard.push('event'));
  await eventually(() => problems.length === 2);
  expect(problems.map(({ kind }) => kind)).toEqual(['permission', 'permission']);
  const alert = { severity: 'warning', host: 'web1', service: '_', rule: 'host-gone' };
  await prober.publishOrdered(rows.alert, alert, sample('alert', alert), EVENT);
  await eventually(() => heard.length > 0);
  expect(heard).toEqual(['warning']);
  await expect(observer.callJetStream('INFO')).rejects.toThrow(PermissionDeniedError);
  const asked = observer.request(commands.stop, { host: 'web1' }, sampleRequest('stop', 'observer/pager'), soon);
  await expect(asked).rejects.toThrow(PermissionDeniedError);
});

test('a monitor says what it has measured, below its own id, and hears nothing', async () => {
  const problems: BusProblem[] = [];
  await using monitor = await open(MONITOR, problems);
  await using dashboard = await open(DASHBOARD);
  const heard: string[] = [];
  dashboard.subscribe(rows.monitorProbe, {}, (_report, { monitor: id }) => heard.push(id));
  await dashboard.flush();
  const result = { monitor: 'k6', ...INSTANCE };
  monitor.publish(rows.monitorProbe, result, sample('monitorProbe', result));
  await eventually(() => heard.length > 0);
  const others = { ...result, monitor: 'k7' };
  monitor.publish(rows.monitorProbe, others, sample('monitorProbe', others));
  monitor.publish(rows.instanceProbe, INSTANCE, sample('instanceProbe', INSTANCE));
  monitor.subscribe(rows.instanceEvent, {}, () => heard.push('event'));
  await eventually(() => problems.length === 3);
  expect(problems.map(({ kind }) => kind)).toEqual(['permission', 'permission', 'permission']);
  expect(heard).toEqual(['k6']);
});

test('a fleet client that may not read says so at once, and its commands are undelivered', async () => {
  await using observer = await open(OBSERVER);
  using fleet = new FleetClient({ bus: observer, actor: 'user/pager' });
  await expect(fleet.ready(AbortSignal.timeout(20_000))).rejects.toThrow(PermissionDeniedError);
  expect(await fleet.command('web1', 'stop', { service: 'rag-api' })).toMatchObject({
    outcome: 'undelivered',
    code: 'not-allowed',
  });
});

/** Listens with a plain client, as other tools do: what it hears until `publish` has been heard, or the server's refusal. */
async function listen(identity: Identity, subject: string, publish: () => Promise<unknown>): Promise<string> {
  const raw = await testBus.connectRaw(identity);
  const heard = new Promise<string>((resolve) => {
    raw.subscribe(subject, { callback: (error, message) => resolve(error?.message ?? message.subject) });
  });
  await raw.flush();
  await publish();
  const first = await heard;
  await raw.close();
  return first;
}

describe('who may hear all of a family may ask for all of it', () => {
  test('an observer hears alert.>', async () => {
    await using prober = await open(PROBER);
    const alert = { severity: 'info', host: 'web1', service: 'search', rule: 'restarted' };
    const subject = buildSubject(environment, rows.alert.template, alert);
    const publish = () => prober.publishOrdered(rows.alert, alert, sample('alert', alert), EVENT);
    expect(await listen(OBSERVER, 'muster.v1.test.alert.>', publish)).toBe(subject);
  });

  test.each(['muster.v1.test.>', 'muster.v1.test.*.>', 'muster.v1.test.health.>', 'muster.v1.other.alert.>', '>'])(
    'an observer cannot listen to %s',
    async (subject) => {
      expect(await listen(OBSERVER, subject, async () => {})).toMatch(/Permissions Violation for Subscription/);
    },
  );

  test("a family of which something is withheld is heard row by row: a prober's host.> is refused", async () => {
    const { subscribe } = permissionsFor(environment, 'prober', 'p1');
    expect(subscribe).toContain('muster.v1.test.service.>');
    expect(subscribe).toContain('muster.v1.test.host.*.presence');
    expect(await listen(PROBER, 'muster.v1.test.host.>', async () => {})).toMatch(/Permissions Violation/);
  });

  test('an agent hears no family at all', () => {
    expect(permissionsFor(environment, 'agent', 'web1').subscribe).toEqual([
      '_INBOX.agent.web1.>',
      'muster.v1.test.answer.*.agent.web1.>',
      'muster.v1.test.command.web1.>',
    ]);
  });
});
