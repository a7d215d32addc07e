/* Whom a prober believes what, and how agents learn from it which keys count no more. */
import { type AlertData, type AlertEvent, commands, keys, proberCommands, rows } from '@muster/contracts';
import { type Bus, type PersonClaims, publishRevocations, uuidv7 } from '@muster/contracts/bus';
import { forgetHost } from '@muster/contracts/client';
import { revoke } from '@muster/contracts/keys';
import type { TestBus } from '@muster/contracts/testing';
import { eventually } from '@muster/testkit';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startLeadingProber } from './prober-process.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { ENVIRONMENT, startTestBus } from './test-bus.ts';

// On a busy machine it takes long until a prober leads, and each step after that is waited for patiently.
vi.setConfig({ testTimeout: 240_000 });

let bus: TestBus;
let agent: SimulatedAgent;
beforeEach(async () => {
  bus = await startTestBus();
  agent = await SimulatedAgent.start(bus);
});
afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await bus[Symbol.asyncDispose]();
});

test('a list that is published reaches an agent, which then announces it; a forged one reaches nobody', async () => {
  const brought: string[] = [];
  agent.bus.respond(commands.revocations, { host: 'web1' }, async ({ id, time, list }, _params, { role }) => {
    brought.push(role);
    const { outcome, reason } = await agent.bus.revocations.offer(list);
    const { version } = agent.bus.revocations;
    return {
      id: 'reply',
      time,
      source: 'agent/web1',
      commandId: id,
      accepted: outcome === 'newer',
      code: 'ok' as const,
      reason,
      version,
    };
  });
  await agent.bus.flush();
  const admin = await bus.connect({ role: 'admin', id: 'setup' });
  await admin.kv('config').put(keys.revocations(), {
    id: uuidv7(),
    time: new Date().toISOString(),
    source: 'admin/setup',
    kind: 'revocations',
    host: '_',
    content: 'e30.AAAA',
    origin: 'apply',
    appliedBy: 'admin/setup',
  });
  await using _prober = await startLeadingProber(bus);

  const entry = { key: `U${'A'.repeat(55)}`, identity: 'operator/mallory', reason: 'left' };
  const list = await revoke({ directory: bus.keysDir, environment: ENVIRONMENT, keys: [entry] });
  expect(await publishRevocations(admin, list)).toBe(true);
  await eventually(() => agent.bus.revocations.version === list.list.version, { timeoutMs: 60_000 });
  expect(brought).toEqual(['prober']);
});

test('an agent asks to recover what is on its own host only', async () => {
  agent.start('api');
  await agent.settled();
  await using _prober = await startLeadingProber(bus);
  const ask = (host: string) => {
    const envelope = { id: uuidv7(), time: new Date().toISOString(), source: 'agent/web1', actor: 'agent/web1' };
    const request = { ...envelope, host, service: 'api', generation: 1, reason: 'a test' };
    return agent.bus.request(proberCommands.recover, {}, request, { timeoutMs: 30_000 });
  };
  await expect(ask('web2')).rejects.toThrow(/refused: agent\/web1 is not granted host 'web2'/);
  expect(await ask('web1')).toMatchObject({ granted: true });
});

test('who was granted some hosts, or services with some labels, asks about no others', async () => {
  const spare = await bus.connect({ role: 'prober', id: 'spare' });
  // More of another host than one answer holds.
  for (let i = 0; i < LARGE_ALERTS; i++) spare.publish(rows.alert, ...largeAlert('web2', i));
  await spare.flush();
  const identities = [{ role: 'operator', id: 'bob', hosts: ['web1'] }] as const;
  await bus.mint(identities);
  await using web2 = await SimulatedAgent.start(bus, 'web2');
  await using _prober = await startLeadingProber(bus);
  await agent.configure('api', undefined, [], { team: 'search' });
  await agent.configure('page');
  for (const [of, service] of [
    [web2, 'api'],
    [agent, 'api'],
    [agent, 'page'],
  ] as const) {
    of.start(service);
    of.move(service, 'failed', { reason: 'restart budget spent' });
    await of.settled();
  }
  const dashboard = await bus.connect({ role: 'dashboard', id: 'main' });
  const failed = () => dashboard.history(rows.alert, { rule: 'failed' });
  await eventually(async () => (await failed()).length === 3, { timeoutMs: 60_000 });

  const bob = await bus.connect({ role: 'operator', id: 'bob' });
  const behind = (claims: Partial<PersonClaims>) =>
    dashboard.vouchFor({
      who: 'user/ada',
      role: 'operator',
      hosts: 'all',
      expiresAt: '2999-01-01T00:00:00Z',
      ...claims,
    });
  const question = ({ role, id }: Bus) => {
    const source = `${role}/${id}`;
    return { id: uuidv7(), time: new Date().toISOString(), source, actor: source };
  };
  const options = (person?: string) => ({ timeoutMs: 30_000, ...(person !== undefined && { person }) });
  const toldTo = async (of: Bus, person?: string) => {
    const told: string[] = [];
    let afterSeq = 0;
    for (let hasMore = true; hasMore; ) {
      const answer = await of.request(proberCommands.alerts, {}, { ...question(of), afterSeq }, options(person));
      told.push(...answer.alerts.map(({ alert }) => alert.subject));
      expect(answer.alerts.length > 0 || !answer.hasMore).toBe(true);
      afterSeq = answer.alerts.at(-1)?.seq ?? afterSeq;
      hasMore = answer.hasMore;
    }
    return told.filter((subject) => subject.endsWith('/failed') || subject.startsWith('web2/')).sort();
  };
  const ofWeb1 = ['web1/api/failed', 'web1/page/failed'];
  expect((await toldTo(dashboard, behind({}))).filter((subject) => ofWeb1.includes(subject))).toEqual(ofWeb1);
  expect(await toldTo(bob)).toEqual(ofWeb1);
  expect(await toldTo(dashboard, behind({ hosts: ['web1'] }))).toEqual(ofWeb1);
  expect(await toldTo(dashboard, behind({ labels: { team: 'search' } }))).toEqual(['web1/api/failed']);

  const probe = (service: string, host: string, claims: Partial<PersonClaims>) =>
    dashboard.request(proberCommands.probe, {}, { ...question(dashboard), host, service }, options(behind(claims)));
  expect(await probe('api', 'web2', { hosts: ['web1'] })).toMatchObject({ code: 'forbidden' });
  const labels = { team: 'search' };
  const reason = "user/ada is granted services with team=search only, not 'page'";
  expect(await probe('page', 'web1', { labels })).toMatchObject({ code: 'forbidden', reason });
  // It has no URL to probe, which is said to who may know it.
  expect(await probe('api', 'web1', { labels })).toMatchObject({ code: 'wrong-state' });

  const remove = forgetHost({ bus: bob, actor: 'operator/bob' }, 'web2', AbortSignal.timeout(60_000));
  expect(await remove).toMatchObject({
    outcome: 'refused',
    reason: expect.stringMatching(/^operator\/bob is not granted host 'web2'/),
  });
});

/** Together more than an answer holds. */
const LARGE_ALERTS = 120;

function largeAlert(host: string, i: number): [Pick<AlertData, 'severity' | 'host' | 'service' | 'rule'>, AlertEvent] {
  const time = new Date().toISOString();
  const about = { severity: 'info', host, service: 'api', rule: `r${i}` } as const;
  const fingerprint = `${host}/api/r${i}`;
  const history = Array.from({ length: 15 }, () => ({ time, value: 'x'.repeat(128) }));
  const event: AlertEvent = {
    specversion: '1.0',
    id: uuidv7(),
    source: 'prober/spare',
    type: 'io.muster.alert.resolved',
    subject: fingerprint,
    time,
    datacontenttype: 'application/json',
    epoch: 1,
    seq: i + 1,
    data: {
      ...about,
      state: 'resolved',
      fingerprint,
      summary: 'a test',
      reason: 'a test',
      startsAt: time,
      endsAt: time,
      instances: [],
      causes: [],
      history,
      labels: {},
    },
  };
  return [about, event];
}
