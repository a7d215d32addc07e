/* The fleet over a real nats-server with keys and permissions: what agents say is what the dashboard shows. */
import { join } from 'node:path';
import { keys, rows } from '@muster/contracts';
import { Outbox } from '@muster/contracts/bus';
import { eventually } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Dashboard } from '../server/dashboard.ts';
import { auditTrail } from '../server/source/audit-trail.ts';
import { BusSource } from '../server/source/bus-source.ts';
import { publishPresence } from '../server/source/presence.ts';
import { readUsers } from '../server/users.ts';
import * as make from './support/demo-facts.ts';
import { SimulatedAgent } from './support/simulated-agent.ts';
import { ownOwners } from './support/start-dashboard.ts';
import { ENVIRONMENT, startTestBus } from './support/test-bus.ts';

const POST = { method: 'POST', headers: { 'content-type': 'application/json' } };
/** As the audit names who runs this test. */
const ME = readUsers().named(process.getuid?.() ?? -1);

let bus: Awaited<ReturnType<typeof startTestBus>>;
beforeAll(async () => {
  bus = await startTestBus();
});
afterAll(() => bus[Symbol.asyncDispose]());

/** The dashboard as `main` wires it, in this process. */
async function startDashboard() {
  const own = bus.open({ role: 'dashboard', id: 'main' });
  const now = () => performance.now();
  const source = new BusSource({ bus: own, now });
  const outbox = await Outbox.open({ directory: join(bus.stateDir, 'outbox'), bus: own });
  const dashboard = await Dashboard.start({
    source,
    environment: ENVIRONMENT,
    id: 'main',
    version: '0.0.0',
    epoch: 1,
    now,
    audit: auditTrail({ outbox, id: 'main', epoch: 1 }),
    owners: ownOwners(),
  });
  const presence = publishPresence({ bus: own, version: '0.0.0', epoch: 1, viewers: () => dashboard.hub.viewers });
  await eventually(() => dashboard.fleet.look().page.fleet.isComplete);
  const url = `http://127.0.0.1:${await dashboard.listen('127.0.0.1', 0)}`;
  return {
    dashboard,
    url,
    outbox,
    own,
    row: (service: string) => dashboard.fleet.look().page.services[`web1.${service}.0`],
    async [Symbol.asyncDispose]() {
      presence[Symbol.dispose]();
      await dashboard[Symbol.asyncDispose]();
      source[Symbol.dispose]();
      await outbox.close();
      await own[Symbol.asyncDispose]();
    },
  };
}

function startAgent() {
  const credentialsFile = bus.credentials({ role: 'agent', id: 'web1' });
  return SimulatedAgent.start({ url: bus.url, credentialsFile, environment: ENVIRONMENT, host: 'web1' });
}

test('from an agent to the page data, and a command back, with its audit record', async () => {
  await using agent = await startAgent();
  await using running = await startDashboard();
  await agent.become('rag-api', 'running', 'ready');
  await eventually(() => running.row('rag-api')?.state === 'running');

  const post = (verb: string) => fetch(`${running.url}/api/services/web1/rag-api/${verb}`, { ...POST, body: '{}' });
  const accepted = await post('stop');
  expect(accepted.status).toBe(202);
  const { commandId } = (await accepted.json()) as { commandId: string };
  await eventually(() => running.row('rag-api')?.state === 'stopped');
  expect(agent.asked).toEqual([{ verb: 'stop', service: 'rag-api', actor: ME }]);

  agent.refusal = 'it is being moved';
  const refused = await post('start');
  expect([refused.status, await refused.json()]).toMatchObject([
    409,
    { error: { message: 'it is being moved', outcome: 'refused' } },
  ]);

  await running.outbox.flushed(AbortSignal.timeout(30_000));
  await using reader = bus.open({ role: 'admin', id: 'setup' });
  await reader.connected(AbortSignal.timeout(30_000));
  const records = (await reader.history(rows.dashboardAudit, {})).map(({ message }) => message);
  expect(records).toMatchObject([
    { actor: ME, verb: 'stop', target: 'web1/rag-api', accepted: true, commandId },
    { actor: ME, verb: 'start', target: 'web1/rag-api', accepted: false, reason: 'it is being moved' },
  ]);
});

test('why is told by the stream when the agent is not there, and a command to it is undelivered', async () => {
  {
    await using agent = await startAgent();
    await agent.become('analytics-api', 'running', 'ready');
    await agent.become('analytics-api', 'failed', 'budget spent');
  }
  await using running = await startDashboard();
  const why = await fetch(`${running.url}/api/services/web1/analytics-api/why`);
  expect(await why.json()).toMatchObject({
    from: 'stream',
    steps: [{ to: 'failed', reason: 'budget spent' }, { to: 'running' }],
  });
  const command = await fetch(`${running.url}/api/services/web1/analytics-api/start`, { ...POST, body: '{}' });
  expect([command.status, await command.json()]).toMatchObject([503, { error: { code: 'undelivered' } }]);
  expect(running.row('analytics-api')).toMatchObject({ state: 'unknown', lastState: 'failed' });
});

test('who speaks for another host under its own name is not believed', async () => {
  await using agent = await startAgent();
  await using running = await startDashboard();
  const { foreign } = running.own.counters;
  // As a program sends it that compares nothing.
  agent.bus.publish({ ...rows.hostPresence, names: {} }, { host: 'web1' }, make.hostHeartbeat('db1'));
  const status = Buffer.from(JSON.stringify(make.status('db1', 'forged')));
  const key = keys.instance('web1', 'forged', 0);
  await agent.bus.publishEncoded(`$KV.muster_test_status.${key}`, status, { expectedLastSeq: 0 });
  await eventually(() => running.own.counters.foreign >= foreign + 2);
  const { page } = running.dashboard.fleet.look();
  expect(Object.keys(page.hosts)).not.toContain('db1');
  expect(Object.keys(page.services).filter((key) => key.includes('forged'))).toEqual([]);
});

test('the bus away makes all unknown, and its return makes it known again', async () => {
  await using agent = await startAgent();
  await using running = await startDashboard();
  await agent.become('search-api', 'running', 'ready');
  await eventually(() => running.row('search-api')?.state === 'running');
  await bus.server.kill();
  await eventually(() => running.row('search-api')?.state === 'unknown');
  expect((await fetch(`${running.url}/api/health`)).status).toBe(503);
  await bus.server.restart();
  await eventually(() => running.row('search-api')?.state === 'running', { timeoutMs: 40_000 });
});
