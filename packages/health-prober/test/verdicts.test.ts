import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { keys, proberCommands, rows, type Verdict } from '@muster/contracts';
import { uuidv7 } from '@muster/contracts/bus';
import type { TestBus } from '@muster/contracts/testing';
import { eventually } from '@muster/testkit';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FAST, startLeadingProber, writeConfig } from './prober-process.ts';
import { SimulatedAgent } from './simulated-agent.ts';
import { brief, Listener, startTestBus } from './test-bus.ts';

/** A host whose agent started the prober: its loopback addresses are the prober's own. */
const HERE = { agentId: 'this-agent', networkNamespace: /\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? '' };
const STARTED_BY_AGENT = { env: { MUSTER_RUN: 'this-agent/health-prober/0/1' } };

// On a busy machine it takes long until a prober leads, and each step after that is waited for patiently.
vi.setConfig({ testTimeout: 240_000 });

let bus: TestBus;
let listener: Listener;
let agent: SimulatedAgent;
let server: Server;
let url: string;
let status = 200;
beforeEach(async () => {
  bus = await startTestBus();
  await writeConfig(bus, FAST);
  listener = await Listener.start(bus);
  agent = await SimulatedAgent.start(bus);
  status = 200;
  server = createServer((_, response) => response.writeHead(status).end('answer'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/health`;
});
afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await bus[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

function verdict(is: (verdict: Verdict) => boolean, message: string): Promise<Verdict> {
  return eventually(() => listener.verdicts.find(is), { message, timeoutMs: 60_000 });
}

/** What the system's own list says: there is no name server for tests. */
function nameOfLoopback(): string | undefined {
  const lines = readFileSync('/etc/hosts', 'utf8').split('\n');
  const names = lines.flatMap((line) => /^127\.0\.0\.1\s+(.*)/.exec(line)?.[1]?.split(/\s+/) ?? []);
  return names.find((each) => /^[a-z0-9-]+$/.test(each) && each !== 'localhost');
}

function heard(...expected: string[]): Promise<unknown> {
  return eventually(() => expected.every((each) => listener.alerts.map(brief).includes(each)), {
    message: `the alerts ${expected.join(', ')}`,
    timeoutMs: 60_000,
  });
}

/** A subscriber may hear an alert a moment before it is stored. */
async function stored(...expected: string[]): Promise<void> {
  const all = await eventually(
    async () => {
      const found = await listener.stored();
      return found.length >= expected.length && found;
    },
    { message: 'they are stored' },
  );
  expect(all).toEqual(expected);
}

describe('its own probes', () => {
  test('a failing service is soft at first, then hard; the alert fires once, and is resolved by the first answer', async () => {
    agent.heartbeat(HERE);
    await agent.configure('api', url);
    agent.start('api');
    await using _prober = await startLeadingProber(bus, STARTED_BY_AGENT);
    const healthy = await verdict((each) => each.verdict === 'healthy', 'a healthy verdict');
    expect(healthy).toMatchObject({
      hardness: 'hard',
      generation: 1,
      votes: [{ vantage: { kind: 'prober', id: 'main' } }],
    });

    status = 503;
    await heard('unhealthy firing');
    // An alert does not wait for the verdict that it is made of: while the one before is being stored, that comes later.
    await verdict((each) => each.verdict === 'unhealthy' && each.hardness === 'hard', 'a hard verdict');
    const unhealthy = listener.verdicts.filter((each) => each.verdict === 'unhealthy');
    expect(unhealthy.map(({ hardness, attempt }) => `${hardness} ${attempt}`)).toEqual(['soft 1', 'soft 2', 'hard 3']);
    expect(unhealthy[2]?.reason).toBe('1 of 1 vantage failed: status: HTTP status 503, expected 200 to 399');
    const [alert] = listener.alerts;
    expect(alert?.data).toMatchObject({ severity: 'critical', rule: 'unhealthy', instances: [0] });
    expect(alert?.data.causes).toEqual(unhealthy[2]?.causes);
    expect(alert?.data.history.map(({ value }) => value).slice(-3)).toEqual(['unhealthy', 'unhealthy', 'unhealthy']);

    status = 200;
    await heard('unhealthy resolved');
    await stored('unhealthy firing', 'unhealthy resolved');
    await eventually(async () => {
      const kept = await listener.bus.kv('health').get(keys.instance('web1', 'api', 0));
      return kept?.value.verdict === 'healthy';
    });
    const reports = await listener.bus.history(rows.proberProbe, {});
    expect(reports[0]?.message).toMatchObject({ status: 'up', httpStatus: 200, protocol: 'http', purpose: 'external' });
    expect(reports[0]?.message.phases?.processingMs).toBeGreaterThan(0);
  });

  test('a loopback address of another host is not probed: its agent alone has a vote', async () => {
    await agent.configure('api', url);
    agent.start('api');
    await using _prober = await startLeadingProber(bus, STARTED_BY_AGENT);
    const unknown = await verdict((each) => each.reason.endsWith('of another host'), 'a verdict for want of a vantage');
    expect(unknown).toMatchObject({
      verdict: 'unknown',
      reason: 'no vantage reaches it: a loopback address of another host',
      votes: [],
    });
    // One vote under each name that it likes would be a quorum of its own: its bus says none of them.
    for (const vantage of [
      { kind: 'agent', id: 'web2' },
      { kind: 'prober', id: 'main' },
    ] as const) {
      expect(() => agent.vote('api', 'down', vantage)).toThrow(/where its subject or key says/);
    }
    agent.vote('api', 'up');
    const healthy = await verdict((each) => each.verdict === 'healthy', 'a healthy verdict');
    expect(healthy.votes).toMatchObject([{ vantage: { kind: 'agent', id: 'web1' }, status: 'up' }]);
  });

  test('no spelling of loopback, and no name for it, has it probe itself for another host', async (context) => {
    const name = nameOfLoopback();
    if (name === undefined) context.skip('no name but localhost is 127.0.0.1 in /etc/hosts');
    let requests = 0;
    server.on('request', () => {
      requests += 1;
    });
    const { port } = new URL(url);
    const targets = { decimal: `http://2130706433:${port}/`, mapped: `http://[::ffff:7f00:1]:${port}/` };
    for (const [service, target] of Object.entries({ ...targets, named: `http://${name}:${port}/` })) {
      await agent.configure(service, target);
      agent.start(service);
    }
    await using _prober = await startLeadingProber(bus, STARTED_BY_AGENT);
    for (const service of Object.keys(targets)) {
      await verdict((each) => each.service === service && each.reason.endsWith('of another host'), `on ${service}`);
    }
    const named = await verdict(
      (each) => each.service === 'named' && /resolves to.*another host$/.test(each.reason),
      'on the name',
    );
    expect(named).toMatchObject({
      verdict: 'unknown',
      reason: 'no vantage reaches it: it resolves to 127.0.0.1, a loopback address of another host',
      votes: [],
    });
    const reports = await listener.bus.history(rows.proberProbe, {});
    expect(reports.map(({ message }) => message)).toContainEqual(
      expect.objectContaining({ service: 'named', status: 'unknown', reason: 'forbidden' }),
    );
    expect(requests).toBe(0);
    // On the host that the prober is on, the same are its own.
    agent.heartbeat(HERE);
    for (const service of ['decimal', 'named']) {
      await verdict((each) => each.service === service && each.verdict === 'healthy', `${service} is probed`);
    }
  });

  test('a prober that no agent started reaches the loopback addresses of its own boot and namespace', async () => {
    const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    agent.heartbeat({ ...HERE, bootId });
    await agent.configure('api', url);
    agent.start('api');
    await using _prober = await startLeadingProber(bus);
    const healthy = await verdict((each) => each.verdict === 'healthy', 'a healthy verdict');
    expect(healthy.votes).toHaveLength(1);
  });

  test('on one instance two vantages that disagree are partial, and page nobody', async () => {
    agent.heartbeat(HERE);
    await agent.configure('api', url);
    agent.start('api');
    await using _prober = await startLeadingProber(bus, STARTED_BY_AGENT);
    await verdict((each) => each.verdict === 'healthy', 'a healthy verdict');
    for (let i = 0; i < 3; i += 1) agent.vote('api', 'down');
    const partial = await verdict(
      (each) => each.verdict === 'partial' && each.hardness === 'hard',
      'a partial verdict',
    );
    expect(partial.votes).toHaveLength(2);
    expect(listener.alerts).toEqual([]);
  });

  test('a service that somebody stops is no longer judged, and its alert ends', async () => {
    agent.heartbeat(HERE);
    await agent.configure('api', url);
    agent.start('api');
    status = 503;
    await using _prober = await startLeadingProber(bus, STARTED_BY_AGENT);
    await heard('unhealthy firing');
    agent.move('api', 'stopped', { desired: 'down', reason: 'asked to stop by anna' });
    await heard('unhealthy resolved');
    const last = await verdict((each) => each.reason === 'it is stopped', 'a verdict that it is stopped');
    expect(last).toMatchObject({ verdict: 'unknown', votes: [] });
  });
});

describe('a host', () => {
  test('that outages silent is gone within 12 s, once, without alerts for its services, and comes back', async () => {
    agent.start('api');
    await agent.settled();
    await using _prober = await startLeadingProber(bus);
    const silentSinceMs = performance.now();
    agent.fallSilent();
    await heard('host-gone firing');
    const [gone] = listener.alerts;
    const heardMs = listener.heardAtMs.get(gone?.id ?? '') ?? Number.NaN;
    console.log(`host gone after ${Math.round(heardMs - silentSinceMs)} ms`);
    expect(gone?.data).toMatchObject({ severity: 'critical', host: 'web1', service: '_', instances: [] });
    for (let i = 0; i < 3; i += 1) agent.vote('api', 'down');
    await verdict((each) => each.verdict === 'unhealthy' && each.hardness === 'hard', 'an unhealthy verdict');
    agent.vote('api', 'up');
    await verdict((each) => each.verdict === 'healthy', 'a healthy verdict');
    agent.heartbeat();
    await heard('host-gone resolved');
    await stored('host-gone firing', 'host-gone resolved');
  });
});

describe('what it is asked', () => {
  function ask(host: string, service: string, generation: number) {
    const request = {
      id: uuidv7(),
      time: new Date().toISOString(),
      source: 'agent/web1',
      actor: 'agent/web1',
      host,
      service,
      instance: 0,
      generation,
      reason: 'liveness failed',
    };
    return agent.bus.request(proberCommands.recover, {}, request, { timeoutMs: 20_000 });
  }

  test('one recovery at a time in a small fleet, until the instance is well again', async () => {
    for (const service of ['api', 'web']) {
      await agent.configure(service);
      agent.start(service);
    }
    // What is not configured is not counted.
    for (let i = 0; i < 20; i += 1) agent.start(`invented-${i}`);
    await agent.settled();
    await using _prober = await startLeadingProber(bus);
    expect(await ask('web1', 'api', 1)).toMatchObject({ granted: true, code: 'ok' });
    expect(await ask('web1', 'api', 1)).toMatchObject({ granted: true });
    // Instances count once their host has been heard.
    const refused = await eventually(async () => {
      const reply = await ask('web1', 'web', 1);
      return !reply.reason.endsWith('fleet of 0)') && reply;
    });
    expect(refused).toMatchObject({
      granted: false,
      accepted: false,
      reason: 'all recovery slots are taken (1 of 1 for a fleet of 2)',
    });
    expect(await ask('web1', 'nobody', 1)).toMatchObject({ granted: false, code: 'unknown-instance' });
    agent.crash('api');
    expect(await eventually(async () => (await ask('web1', 'web', 1)).granted)).toBe(true);
  });

  test('what this version cannot do is refused', async () => {
    await using _prober = await startLeadingProber(bus);
    const request = { id: uuidv7(), time: new Date().toISOString(), source: 'dashboard/main', actor: 'anna' };
    const reply = await listener.bus.request(
      proberCommands.acknowledge,
      {},
      { ...request, fingerprint: 'web1/api/failed' },
      { timeoutMs: 20_000 },
    );
    expect(reply).toMatchObject({ accepted: false, code: 'unsupported', commandId: request.id });
  });
});
