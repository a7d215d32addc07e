import { commands, type FleetChange, rows } from '@muster/contracts';
import { setupBus } from '@muster/contracts/admin';
import { type NatsBus, openBus } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import { eventually, type NatsServer, startNatsServer } from '@muster/testkit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { golden, sample, sampleValue } from './golden.ts';
import { TestIdentities, WITHOUT_KEYS } from './identities.ts';

const ADA = { role: 'operator', id: 'ada' } as const;
const WEB1 = { role: 'agent', id: 'web1' } as const;
const P1 = { role: 'prober', id: 'p1' } as const;
const INSTANCE = { host: 'web1', service: 'rag-api', instance: 0 };

let server: NatsServer;
let bus: NatsBus;
let agent: NatsBus;
let identities: TestIdentities;
beforeAll(async () => {
  identities = await TestIdentities.mint('test', [ADA, WEB1, P1]);
});
afterAll(() => identities[Symbol.asyncDispose]());
beforeEach(async () => {
  server = await startNatsServer(WITHOUT_KEYS);
  bus = openBus({ servers: server.url, ...identities.as(ADA) });
  agent = openBus({ servers: server.url, ...identities.as(WEB1) });
  await Promise.all([bus.connected(), agent.connected()]);
  await setupBus(bus);
});
afterEach(async () => {
  await Promise.all([bus.drain(), agent.drain()]);
  await server[Symbol.asyncDispose]();
});

const soon = () => AbortSignal.timeout(20_000);

test('it reads what is stored, follows what changes, and drops what is gone after a loss', async () => {
  await agent.kv('status').put('web1.rag-api.0', sampleValue('status'));
  await agent.kv('status').put('web1.old.0', { ...sampleValue('status'), service: 'old' });
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  await fleet.ready(soon());
  expect([...fleet.snapshot().status.keys()].sort()).toEqual(['web1.old.0', 'web1.rag-api.0']);
  expect(fleet.snapshot().hosts).toMatchObject([{ host: 'web1', isAlive: false }]);

  const changes: FleetChange[] = [];
  fleet.onChange((change) => changes.push(change));
  agent.publish(rows.hostPresence, { host: 'web1' }, sample('hostPresence'));
  await eventually(() => fleet.host('web1').isAlive);
  await agent.kv('specs').put('web1.rag-api._', sampleValue('specs'));
  await eventually(() => fleet.snapshot().specs.size === 1);
  expect(changes).toMatchObject([
    { kind: 'host-presence', heartbeat: { host: 'web1' } },
    { kind: 'entry', bucket: 'specs', key: 'web1.rag-api._' },
  ]);

  await server.kill();
  await eventually(() => !bus.isConnected && !agent.isConnected);
  expect(fleet.host('web1')).toMatchObject({ isAlive: false });
  await server.restart({ wipe: true });
  await Promise.all([bus.connected(), agent.connected()]);
  await setupBus(bus);
  await agent.kv('status').put('web1.rag-api.0', sampleValue('status'));
  await eventually(() => fleet.snapshot().status.size === 1);
  expect([...fleet.snapshot().status.keys()]).toEqual(['web1.rag-api.0']);
});

test('it follows probers and dashboards as well, measures an agent, and asks what came of a command', async () => {
  await using prober = openBus({ servers: server.url, ...identities.as(P1) });
  await prober.connected();
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  const aheadMs = 90_000;
  agent.respond(
    commands.status,
    { host: 'web1' },
    async () => ({ ...golden('commands/status.reply'), time: new Date(Date.now() + aheadMs).toISOString() }) as never,
  );
  agent.respond(commands.outcome, { host: 'web1' }, async () => golden('commands/outcome.reply') as never);
  await Promise.all([bus.flush(), agent.flush()]);
  prober.publish(rows.proberPresence, { prober: 'p1' }, sample('proberPresence'));
  prober.publish(rows.dashboardPresence, { dashboard: 'd1' }, sample('dashboardPresence'));
  const heartbeatAtMs = Date.now();
  const time = new Date(heartbeatAtMs + aheadMs).toISOString();
  agent.publish(rows.hostPresence, { host: 'web1' }, { ...sample('hostPresence'), time });
  await eventually(() => fleet.snapshot().probers.length > 0 && fleet.host('web1').isAlive);
  await eventually(() => fleet.snapshot().dashboards.length > 0);
  expect(fleet.snapshot()).toMatchObject({
    probers: [{ prober: 'p1', isAlive: true }],
    dashboards: [{ dashboard: 'd1', isAlive: true }],
  });
  // Too low by the time that the heartbeat took.
  const { clockSkewMs: heartbeatSkewMs = Number.NaN } = fleet.host('web1');
  expect(heartbeatSkewMs).toBeLessThanOrEqual(aheadMs);
  expect(heartbeatSkewMs).toBeGreaterThanOrEqual(aheadMs - (Date.now() - heartbeatAtMs));
  const { roundTripMs = Number.NaN, clockSkewMs = Number.NaN } = await fleet.measure('web1');
  expect(Math.abs(clockSkewMs - aheadMs)).toBeLessThanOrEqual(roundTripMs + 10);
  expect(await fleet.outcome('web1', 'any')).toMatchObject({ outcome: 'accepted', reply: { outcome: 'done' } });
  expect(await fleet.measure('db1')).toMatchObject({ result: { outcome: 'undelivered' } });
});

test('it reads no more than it is told to follow', async () => {
  for (const host of ['web1', 'web2']) {
    await bus.kv('status').put(`${host}.rag-api.0`, { ...sampleValue('status'), host, source: `agent/${host}` });
    await bus.kv('specs').put(`${host}.rag-api._`, { ...sampleValue('specs'), host, source: `agent/${host}` });
  }
  using names = new FleetClient({ bus, actor: 'user/ada', follow: { buckets: ['status'], senders: [], host: 'web2' } });
  using hosts = new FleetClient({ bus, actor: 'user/ada', follow: { buckets: [], senders: ['host'], host: 'web1' } });
  await Promise.all([names.ready(soon()), hosts.ready(soon()), bus.flush()]);
  expect([...names.snapshot().status.keys()]).toEqual(['web2.rag-api.0']);
  expect(names.snapshot().specs.size).toBe(0);
  agent.publish(rows.hostPresence, { host: 'web1' }, sample('hostPresence'));
  await eventually(() => hosts.host('web1').isAlive);
  expect(hosts.snapshot()).toMatchObject({ hosts: [{ host: 'web1' }], status: new Map() });
  expect(names.host('web1').isAlive).toBe(false);
});

test('what it is told comes in the order of a follower: a bucket as a whole, then each change; and a host that was taken away', async () => {
  await using prober = openBus({ servers: server.url, ...identities.as(P1) });
  await prober.connected();
  await agent.kv('status').put('web1.rag-api.0', sampleValue('status'));
  const told: FleetChange[] = [];
  using fleet = new FleetClient({
    bus,
    actor: 'user/ada',
    follow: { buckets: ['status'], senders: ['host'] },
  });
  fleet.onChange((change) => told.push(change));
  await Promise.all([fleet.ready(soon()), bus.flush()]);
  await agent.kv('status').delete('web1.rag-api.0');
  await eventually(() => fleet.statuses.size === 0);
  agent.publish(rows.hostPresence, { host: 'web1' }, sample('hostPresence'));
  await eventually(() => fleet.host('web1').isAlive);
  expect([...fleet.hosts()]).toEqual(['web1']);
  const forgotten = { ...sample('proberEvent'), kind: 'host-forgotten', host: 'web1' } as const;
  await prober.publishOrdered(rows.proberEvent, { prober: 'p1' }, forgotten, { expectedLastSeq: 0 });
  await eventually(() => fleet.hosts().size === 0);
  expect(told).toMatchObject([
    { kind: 'listed', bucket: 'status', gone: [], entries: expect.any(Map) },
    { kind: 'entry', bucket: 'status', key: 'web1.rag-api.0', value: undefined },
    { kind: 'host-presence', heartbeat: { host: 'web1' } },
    { kind: 'host-forgotten', host: 'web1' },
  ]);
});

test('who has slept awaits everybody, for it has not read yet what was sent meanwhile', async () => {
  let sleptMs = 0;
  using fleet = new FleetClient({ bus, actor: 'user/ada', nowMs: () => performance.now() + sleptMs });
  const told: string[] = [];
  fleet.onChange(({ kind }) => told.push(kind));
  await Promise.all([fleet.ready(soon()), bus.flush()]);
  agent.publish(rows.hostPresence, { host: 'web1' }, sample('hostPresence'));
  await eventually(() => fleet.host('web1').state === 'heard');
  sleptMs = 60_000;
  expect(fleet.host('web1').state).toBe('awaited');
  expect(told.filter((kind) => kind === 'overslept')).toHaveLength(1);
});

test('waiting for what is stored ends with its signal', async () => {
  await server.kill();
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  await expect(fleet.ready(AbortSignal.timeout(30))).rejects.toThrow(/timeout/);
});

test('a command quotes where the agent stands, and its outcome is one of four', async () => {
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  expect(await fleet.command('web1', 'restart', { service: 'rag-api' })).toMatchObject({
    outcome: 'undelivered',
    code: 'no-agent',
    reason: "no agent answers for host 'web1'",
  });

  const quotes: unknown[] = [];
  let accepted = true;
  agent.respond(commands.status, { host: 'web1' }, async () => golden('commands/status.reply') as never);
  const answering = agent.respond(commands.restart, { host: 'web1' }, async ({ fresh, actor, source }) => {
    quotes.push([fresh, actor, source]);
    return {
      ...(golden('commands/restart.reply') as object),
      accepted,
      code: accepted ? 'ok' : 'wrong-state',
    } as never;
  });
  await agent.flush();
  const position = { epoch: 1_772_366_400, seq: 42 };
  expect(await fleet.command('web1', 'restart', { service: 'rag-api' })).toMatchObject({ outcome: 'accepted' });
  expect(quotes).toEqual([[position, 'user/ada', 'operator/ada']]);

  accepted = false;
  agent.publish(rows.hostPresence, { host: 'web1' }, { ...sample('hostPresence'), seq: 77 });
  await eventually(() => fleet.host('web1').isAlive);
  expect(await fleet.command('web1', 'restart', { service: 'rag-api' })).toMatchObject({
    outcome: 'refused',
    code: 'wrong-state',
  });
  expect(quotes.at(-1)).toEqual([{ ...position, seq: 77 }, 'user/ada', 'operator/ada']);

  answering.stop();
  const silent = agent.respond(commands.restart, { host: 'web1' }, () => new Promise(() => {}));
  await agent.flush();
  const asked = fleet.command('web1', 'restart', { service: 'rag-api' });
  expect(await asked).toMatchObject({ outcome: 'unknown', code: 'timeout', reason: /the outcome is unknown/ });
  silent.stop();
});

test('what quotes a heartbeat of before a restart is refused as stale, and sent once more under a new id', async () => {
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  const epoch = sample('hostPresence').epoch + 1;
  const asked: { id: string; epoch: number | undefined }[] = [];
  let current = epoch;
  agent.respond(
    commands.status,
    { host: 'web1' },
    async () => ({ ...golden('commands/status.reply'), epoch: current, seq: 1 }) as never,
  );
  agent.respond(commands.restart, { host: 'web1' }, async ({ id, fresh }) => {
    asked.push({ id, epoch: fresh?.epoch });
    const accepted = fresh?.epoch === epoch;
    return { ...golden('commands/restart.reply'), accepted, code: accepted ? 'ok' : 'stale', commandId: id } as never;
  });
  await agent.flush();
  // A heartbeat is heard by whoever has subscribed by then.
  await bus.flush();
  agent.publish(rows.hostPresence, { host: 'web1' }, sample('hostPresence'));
  await eventually(() => fleet.host('web1').isAlive);

  const result = await fleet.command('web1', 'restart', { service: 'rag-api' });
  expect(asked.map((request) => request.epoch)).toEqual([epoch - 1, epoch]);
  expect(result).toMatchObject({ outcome: 'accepted', commandId: asked[1]?.id });
  expect(asked[0]?.id).not.toBe(asked[1]?.id);

  // An agent that goes on calling it stale is believed.
  current = epoch + 1;
  asked.length = 0;
  agent.publish(rows.hostPresence, { host: 'web1' }, sample('hostPresence'));
  await eventually(() => fleet.host('web1').isAlive);
  expect(await fleet.command('web1', 'restart', { service: 'rag-api' })).toMatchObject({
    outcome: 'refused',
    code: 'stale',
  });
  expect(asked).toHaveLength(2);
});

test('why is told by the agent, and by the stream when the agent is away', async () => {
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  await fleet.ready(soon());
  await agent.publishOrdered(rows.instanceEvent, INSTANCE, sample('instanceEvent'), { expectedLastSeq: 0 });
  expect(await fleet.why(INSTANCE)).toMatchObject({ source: 'stream', events: [{ to: 'backoff' }] });
  agent.respond(commands.why, { host: 'web1' }, async () => golden('commands/why.reply') as never);
  await agent.flush();
  expect(await fleet.why(INSTANCE)).toMatchObject({
    source: 'agent',
    status: { state: 'running' },
    events: [{ to: 'backoff' }],
  });
});

test('a host without services is known by what its agent told of itself', async () => {
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  for (const [seq, kind] of (['started', 'bus-connected'] as const).entries()) {
    await agent.publishOrdered(
      rows.hostEvent,
      { host: 'web1' },
      { ...sample('hostEvent'), kind },
      { expectedLastSeq: seq },
    );
  }
  const events = await fleet.lastHostEvents(soon());
  expect([...events].map(([host, { kind }]) => [host, kind])).toEqual([['web1', 'bus-connected']]);
});

test('events and alerts are heard as they come', async () => {
  using fleet = new FleetClient({ bus, actor: 'user/ada' });
  const heard: string[] = [];
  fleet.watchEvents({ host: 'web1' }, ({ to }) => heard.push(to));
  fleet.watchAlerts(({ data }) => heard.push(data.rule));
  await bus.flush();
  agent.publish(rows.instanceEvent, INSTANCE, sample('instanceEvent'));
  agent.publish(
    rows.alert,
    { severity: 'critical', host: 'web1', service: 'rag-api', rule: 'unhealthy' },
    sample('alert'),
  );
  await eventually(() => heard.length === 2);
  expect(heard).toEqual(['backoff', 'unhealthy']);
});
