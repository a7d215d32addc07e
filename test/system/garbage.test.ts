/**
 * Bad input costs nothing. Every identity sends rubbish on everything it may send on: rows, commands, buckets. Agent, prober
 * and dashboard count it, drop it and go on.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type BucketName,
  bucketName,
  buckets,
  buildSubject,
  commands,
  type InstanceEvent,
  proberCommands,
  type Row,
  rows,
} from '@muster/contracts';
import { type Bus, uuidv7, WrongLastSequenceError } from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import {
  eventually,
  type MusterSystem,
  type SeededRandom,
  seededRandom,
  startMusterSystem,
  startNodeFixture,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { newSeed } from './seed.ts';
import { connect, ROOT_DIR, servicesYaml, storedEvents } from './support.ts';

const SYSTEM_SERVICES = ['nats-server', 'health-prober', 'dashboard'];
const FLOOD_MESSAGES = 200_000;
const MAX_RSS_BYTES = 320 * 1024 ** 2;
/** On a machine that does nothing else but flood and be flooded. */
const MAX_LOOP_LAG_MS = 3_000;
const COMMAND_TIMEOUT_MS = 10_000;
/** Nobody answers rubbish on a core subject, so nobody is waited for. */
const SEND_MS = 150;

/** What is not a message: not JSON, JSON of a wrong type, of a wrong schema, far too large, far too deep. */
function rubbish(random: SeededRandom): readonly Uint8Array[] {
  const bytes = Uint8Array.from({ length: random.integer(1, 4_096) }, () => random.integer(0, 255));
  const wrong = {
    id: { $gt: '' },
    time: 'yesterday',
    source: null,
    epoch: -1,
    seq: 'NaN',
    host: '../../etc',
    service: '*',
    instance: 1e99,
  };
  const almost = { id: uuidv7(), time: new Date().toISOString(), source: 'agent/web1', epoch: 2 ** 60, seq: 0 };
  return [
    bytes,
    new Uint8Array(),
    ...['null', '42', '"text"', '[]', '{}', '{"id":', '[[[[[['.repeat(10_000)].map((text) => Buffer.from(text)),
    Buffer.from(JSON.stringify(wrong)),
    Buffer.from(JSON.stringify(almost)),
    Buffer.from('{"__proto__":{"accepted":true},"constructor":{"prototype":{}}}'),
    Buffer.from(JSON.stringify({ ...almost, reason: 'x'.repeat(700 * 1024) })),
  ];
}

/** Each subject with the identity that may send there, so that nothing is stopped by the server already. */
function targetsOf(system: MusterSystem): readonly { readonly role: Bus['role']; readonly subject: string }[] {
  const { environment, host } = system;
  const params = {
    host,
    service: 'api',
    instance: 0,
    prober: 'main',
    dashboard: 'main',
    monitor: 'main',
    severity: 'critical',
    rule: 'failed',
  };
  const subject = (template: string) => buildSubject(environment, template, params);
  const all: readonly Row[] = Object.values(rows);
  const names = Object.keys(buckets) as BucketName[];
  return [
    ...all.flatMap(({ template, publishers }) =>
      publishers.slice(0, 1).map((role) => ({ role, subject: subject(template) })),
    ),
    ...Object.values(commands).map(({ template }) => ({ role: 'admin' as const, subject: subject(template) })),
    ...Object.values(proberCommands).map(({ template, requesters }) => ({
      role: requesters.some((role) => role === 'admin') ? ('admin' as const) : (requesters[0] ?? 'admin'),
      subject: subject(template),
    })),
    ...names.map((name) => {
      const key = buckets[name].keyedByHost ? `${host}.api.0` : 'main.failed.0';
      return { role: buckets[name].writers[0] ?? 'admin', subject: `$KV.${bucketName(environment, name)}.${key}` };
    }),
  ];
}

test('rubbish on every subject: agent, prober and dashboard go on', async () => {
  const random = seededRandom(newSeed('garbage'));
  await using system = await startMusterSystem({
    services: servicesYaml({ name: 'api', command: ['sleep', '600'] }),
  });
  await system.waitUntilUp();
  await system.waitUntilReady('api');
  const before = await systemRuns(system);
  await using operator = await connect(system);
  using client = new FleetClient({ bus: operator, actor: 'garbage test' });
  await client.ready(AbortSignal.timeout(30_000));
  // Somebody who listens counts what the programs count.
  operator.subscribe(rows.instanceEvent, {}, () => {});
  await operator.flush();

  await using senders = await openSenders(system);
  let sent = 0;
  for (const { role, subject } of targetsOf(system)) {
    const bus = senders.of(role);
    await Promise.all(rubbish(random).map((payload) => sendRaw(bus, subject, payload)));
    sent += 1;
  }
  expect(sent).toBeGreaterThan(50);

  // A command still acts, its event arrives behind the rubbish, and the page tells it.
  const { generation } = await system.waitUntilReady('api');
  const result = await client.agents.command(system.host, 'restart', { service: 'api' });
  expect(result).toMatchObject({ outcome: 'accepted' });
  const isNext = (event: InstanceEvent) => event.generation === generation + 1 && event.to === 'running';
  await system.waitFor('api', (facts) => facts.generation === generation + 1 && facts.ready === 'yes');
  await storedEvents(operator, system.host, 'api', (events) => events.some(isNext));
  const { pid } = await system.waitUntilReady('api');
  await eventually(async () => (await shownPid(system, 'api')) === pid, {
    timeoutMs: 60_000,
    message: 'the new run on the page',
  });
  // The prober still heartbeats and answers.
  let heartbeats = 0;
  operator.subscribe(rows.proberPresence, {}, () => {
    heartbeats += 1;
  });
  await eventually(() => heartbeats >= 2, { message: 'two heartbeats of the prober' });
  const answer = await operator.request(
    proberCommands.probe,
    {},
    {
      id: uuidv7(),
      time: new Date().toISOString(),
      source: 'operator/cli',
      actor: 'garbage test',
      host: system.host,
      service: 'api',
    },
    { timeoutMs: 30_000 },
  );
  expect(answer.source).toBe('prober/main');

  expect(await systemRuns(system), 'nothing of it was restarted').toEqual(before);
  expect(operator.counters.malformed, 'counted').toBeGreaterThan(0);
  // Who asks an agent must prove who it is, before anything of the question is read.
  await eventually(() => system.output.includes('forged'), { message: 'a word of the agent', timeoutMs: 60_000 });
  for (const service of ['health-prober', 'dashboard']) {
    const log = path.join(system.stateDir, 'logs', `${service}.0.stdout.log`);
    await eventually(async () => (await readFile(log, 'utf8')).includes('malformed'), {
      message: `a word of ${service}`,
      timeoutMs: 60_000,
    });
  }
});

test('200,000 garbage messages: memory and event loops keep their bounds, commands are answered, all is counted', async () => {
  const seed = newSeed('flood');
  await using system = await startMusterSystem({
    services: servicesYaml({ name: 'api', command: ['sleep', '600'] }),
  });
  await system.waitUntilUp();
  const { generation } = await system.waitUntilReady('api');
  const before = await systemRuns(system);
  await using operator = await connect(system);
  using client = new FleetClient({ bus: operator, actor: 'flood test', timeoutMs: COMMAND_TIMEOUT_MS });
  await client.ready(AbortSignal.timeout(30_000));
  await using counter = await connect(system);
  counter.subscribe(rows.instanceEvent, { service: 'api' }, () => {});
  let lagMs = 0;
  const onHeartbeat = ({ eventLoopLagMs }: { readonly eventLoopLagMs: number }) => {
    lagMs = Math.max(lagMs, eventLoopLagMs);
  };
  operator.subscribe(rows.hostPresence, {}, onHeartbeat);
  operator.subscribe(rows.proberPresence, {}, onHeartbeat);
  operator.subscribe(rows.dashboardPresence, {}, onHeartbeat);
  await Promise.all([operator.flush(), counter.flush()]);
  const rssBefore = await rssOf(system, before);

  const flood = {
    url: system.busUrl,
    environment: system.environment,
    host: system.host,
    messages: FLOOD_MESSAGES,
    seed,
  };
  const keysDir = path.dirname(system.credentials('operator-cli'));
  const script = path.join(ROOT_DIR, 'packages/contracts/test/fixtures/flood.mjs');
  await using flooder = await startNodeFixture(script, [JSON.stringify({ ...flood, keysDir })]);
  let asked = 0;
  let slowestMs = 0;
  let highest = rssBefore;
  while (flooder.child.exitCode === null && flooder.child.signalCode === null) {
    const askedAtMs = performance.now();
    const answer = await client.agents.status(system.host);
    expect(
      answer,
      `a command during the flood: ${JSON.stringify(answer)}; the agent said:\n${system.output.slice(-4_000)}`,
    ).toMatchObject({
      outcome: 'accepted',
    });
    slowestMs = Math.max(slowestMs, performance.now() - askedAtMs);
    asked += 1;
    const rss = await rssOf(system, before);
    highest = new Map([...rss].map(([name, bytes]) => [name, Math.max(bytes, highest.get(name) ?? 0)]));
    await Promise.race([delay(250), flooder.exited]);
  }
  const result = JSON.parse(await flooder.line(/^\{"sent"/)) as { ofInstanceEvents: number; seconds: number };
  console.log(
    `flood: ${FLOOD_MESSAGES} messages in ${result.seconds} s; ${asked} commands, slowest ${Math.round(slowestMs)} ms; loop lag ${Math.round(lagMs)} ms; RSS ${describeRss(rssBefore, highest)}`,
  );

  expect(Math.max(...highest.values()), 'resident memory').toBeLessThan(MAX_RSS_BYTES);
  expect(lagMs, 'event loop lag').toBeLessThan(MAX_LOOP_LAG_MS);
  // The service's own events of that time are good ones: only the flood's are counted.
  const counted = () => counter.counters.malformed + counter.counters.oversize;
  await eventually(() => counted() >= result.ofInstanceEvents, {
    message: 'every garbage event counted',
    timeoutMs: 60_000,
  });
  expect(counted(), 'counted once').toBe(result.ofInstanceEvents);
  expect(await systemRuns(system), 'nothing was restarted').toEqual(before);
  expect((await system.waitUntilReady('api')).generation).toBe(generation);
  expect(await client.agents.command(system.host, 'restart', { service: 'api' })).toMatchObject({
    outcome: 'accepted',
  });
  await storedEvents(operator, system.host, 'api', (events) =>
    events.some((event) => event.generation === generation + 1 && event.to === 'running'),
  );
});

/** Resident memory of the agent and of Muster's own programs that it runs. */
async function rssOf(system: MusterSystem, runs: ReadonlyMap<string, number | undefined>) {
  const pids = [...runs].filter(([service]) => service !== 'nats-server');
  const named: (readonly [string, number | undefined])[] = [['agent', system.agentPid], ...pids];
  return new Map(
    await Promise.all(
      named.map(async ([name, pid]) => {
        const status = await readFile(`/proc/${pid}/status`, 'utf8');
        return [name, Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024] as const;
      }),
    ),
  );
}

function describeRss(before: ReadonlyMap<string, number>, highest: ReadonlyMap<string, number>): string {
  const megabytes = (bytes = 0): number => Math.round(bytes / 1e6);
  return [...highest]
    .map(([name, bytes]) => `${name} ${megabytes(before.get(name))} to ${megabytes(bytes)} MB`)
    .join(', ');
}

async function systemRuns(system: MusterSystem): Promise<ReadonlyMap<string, number | undefined>> {
  const instances = await system.instances();
  return new Map(
    instances.filter(({ service }) => SYSTEM_SERVICES.includes(service)).map(({ service, pid }) => [service, pid]),
  );
}

async function shownPid(system: MusterSystem, service: string): Promise<number | undefined> {
  const response = await fetch(`${system.dashboardUrl}/api/dashboard-data`);
  const data = (await response.json()) as { services: { rows: readonly { service: string; pid?: number }[] } };
  return data.services.rows.find((row) => row.service === service)?.pid;
}

async function openSenders(system: MusterSystem) {
  await system.cli('bus', 'keys', '--add', 'monitor-main');
  const own = {
    agent: system.host,
    prober: 'main',
    dashboard: 'main',
    operator: 'cli',
    monitor: 'main',
    admin: 'setup',
  } as const;
  const open = new Map<string, Bus>();
  for (const [role, id] of Object.entries(own)) open.set(role, await connect(system, role as Bus['role'], id));
  return {
    of(role: Bus['role']): Bus {
      const bus = open.get(role);
      if (bus === undefined) throw new Error(`no sender for ${role}`);
      return bus;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...open.values()].map((bus) => bus.drain()));
    },
  };
}

/** Stored where the subject is a stream's. What became of it is not of interest: it was sent. */
async function sendRaw(bus: Bus, subject: string, payload: Uint8Array, expectedLastSeq = 0): Promise<void> {
  try {
    await bus.publishEncoded(subject, payload, { expectedLastSeq, signal: AbortSignal.timeout(SEND_MS) });
  } catch (error) {
    if (error instanceof WrongLastSequenceError) await sendRaw(bus, subject, payload, error.actual);
  }
}
