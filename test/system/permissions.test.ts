/**
 * Nobody gets in where they don't belong: the credentials that `muster bus keys` makes, on the bus of a whole system. What a
 * role may not send or hear is refused by the server itself; what is its work, it can do.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type AlertEvent,
  commands,
  keys,
  proberCommands,
  ROLE_SCOPE,
  type Role,
  type Row,
  rows,
} from '@muster/contracts';
import {
  type Bus,
  type BusProblem,
  NoResponderError,
  openBus,
  PermissionDeniedError,
  uuidv7,
} from '@muster/contracts/bus';
import { FleetClient } from '@muster/contracts/client';
import { readServices, specHash } from '@muster/contracts/config';
import { eventually, type MusterSystem, startMusterSystem } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connect, servicesYaml, storedEvents, waitForBus } from './support.ts';

const IDENTITIES = [
  ['agent', 'web2'],
  ['prober', 'main'],
  ['dashboard', 'main'],
  ['operator', 'cli'],
  ['observer', 'alerts'],
  ['monitor', 'k6'],
] as const satisfies readonly (readonly [Role, string])[];

/** Nobody of the system bears these ids, so that what is allowed disturbs nobody either. */
const FOREIGN = {
  host: 'elsewhere',
  service: 'nothing',
  instance: 0,
  prober: 'elsewhere',
  dashboard: 'elsewhere',
  monitor: 'elsewhere',
  severity: 'info',
  rule: 'failed',
};

/** All that is secret here has this in it. */
const SECRET = 'Hunter2';
const SECRETIVE = {
  name: 'secretive',
  command: [
    'sh',
    '-c',
    `echo "with $API_KEY"; DB_PASSWORD=${SECRET}-a exec sleep 600`,
    'x',
    '--password',
    `${SECRET}-b`,
    `--api-key=${SECRET} c`,
    '-p',
    `${SECRET}-d`,
    `postgres://bob:${SECRET}-e@db/app`,
    '-H',
    `Authorization: Bearer ${SECRET}-f`,
    `told-${SECRET}-value`,
  ],
  environment: { GREETING: `${SECRET}-value`, API_KEY: `${SECRET}-g` },
  labels: { note: `token=${SECRET}-h` },
  // Nothing listens there: it is never ready, and says why.
  health_check_url: `http://127.0.0.1:9/health?token=${SECRET}-i`,
};
/** Cannot be started, for a reason that quotes its command. */
const BROKEN = {
  name: 'broken',
  command: [`/nowhere/${SECRET}-value`],
  environment: { GREETING: `${SECRET}-value` },
  restart_delay: '600s',
};

let system: MusterSystem;
beforeAll(async () => {
  system = await startMusterSystem({
    services: servicesYaml({ name: 'api', command: ['sleep', '600'] }, SECRETIVE, BROKEN),
  });
  await waitForBus(system);
  await system.waitUntilReady('api');
  // Another host joins: its credentials are made offline, and nothing restarts.
  for (const added of ['agent-web2', 'monitor-k6']) await system.cli('bus', 'keys', '--add', added);
});
afterAll(() => system[Symbol.asyncDispose]());

function envelope(source: string) {
  return { id: uuidv7(), time: new Date().toISOString(), source };
}

test.each(IDENTITIES)('%s %s: what it may not send is refused on every subject', async (role, id) => {
  await using bus = await connect(system, role, id);
  const denied: Row[] = Object.values(rows).filter((row) => !maySend(row, role));
  expect(denied.length).toBeGreaterThan(0);
  for (const { template } of denied) await expectDenied(bus, template);
  const asks = [...Object.values(commands), ...Object.values(proberCommands)];
  for (const { template, requesters } of asks.filter(({ requesters }) => !requesters.some((one) => one === role))) {
    expect(requesters).not.toContain(role);
    await expectDenied(bus, template);
  }
});

test.each(IDENTITIES)('%s %s: what it may not hear it cannot subscribe', async (role, id) => {
  const problems: BusProblem[] = [];
  await using bus = openBus({
    servers: system.busUrl,
    credentialsFile: system.credentials(`${role}-${id}`),
    environment: system.environment,
    role,
    id,
    onProblem: (problem) => problems.push(problem),
  });
  await bus.connected(AbortSignal.timeout(30_000));
  const all: readonly Row[] = Object.values(rows);
  const denied = all.filter((row) => !row.subscribers.includes(role));
  for (const row of denied) bus.subscribe(row, {}, () => {});
  // Another host's commands, too: nobody but its agent is asked.
  bus.respond(commands.restart, { host: system.host }, () => Promise.reject(new Error('overheard')));
  await eventually(
    () => {
      const refused = problems.filter(({ kind }) => kind === 'permission');
      expect(refused).toHaveLength(denied.length + 1);
      return true;
    },
    { timeoutMs: 60_000, message: 'a refusal of each' },
  );
  // What is allowed still works on the same connection.
  await bus.flush();
});

test('an agent speaks for its own host, and reads nothing back', async () => {
  await using agent = await connect(system, 'agent', 'web2');
  const event = {
    ...envelope('agent/web2'),
    epoch: 1,
    seq: 1,
    kind: 'started' as const,
    reason: 'a second host',
    causes: [],
  };
  const stored = await agent.publishOrdered(rows.hostEvent, { host: 'web2' }, event, { expectedLastSeq: 0 });
  expect(stored.seq).toBeGreaterThan(0);
  await using operator = await connect(system);
  // The agent puts it into the bucket behind what it writes into its file.
  const { value: status } = await eventually(() => operator.kv('status').get(keys.instance(system.host, 'api', 0)), {
    message: 'the status of api',
  });
  const own = { ...status, source: 'agent/web2', host: 'web2' };
  expect((await agent.kv('status').put(keys.instance('web2', 'api', 0), own)).revision).toBeGreaterThan(0);

  const forged = agent.kv('status').put(keys.instance(system.host, 'api', 0), status);
  await expect(forged).rejects.toThrow(PermissionDeniedError);
  const verdict = {
    ...event,
    source: 'prober/main',
    host: 'web2',
    service: 'api',
    instance: 0,
    generation: 1,
    verdict: 'healthy' as const,
    hardness: 'hard' as const,
    attempt: 1,
    maxAttempts: 3,
    changedAt: event.time,
    votes: [],
  };
  await expect(agent.kv('health').put(keys.instance('web2', 'api', 0), verdict)).rejects.toThrow(PermissionDeniedError);
  await expect(agent.kv('status').get(keys.instance('web2', 'api', 0))).rejects.toThrow(PermissionDeniedError);
  await expect(agent.history(rows.hostEvent, {})).rejects.toThrow(PermissionDeniedError);
  const still = await operator.kv('status').get(keys.instance(system.host, 'api', 0));
  expect(still?.value.host).toBe(system.host);
});

test('an observer hears alerts, and a prober may raise them', async () => {
  await using observer = await connect(system, 'observer', 'alerts');
  const heard: AlertEvent[] = [];
  observer.subscribe(rows.alert, {}, (alert) => heard.push(alert));
  await observer.flush();
  await using prober = await connect(system, 'prober', 'main');
  const params = { severity: 'info', host: 'web2', service: 'api', rule: 'restarted' } as const;
  const alert: AlertEvent = {
    specversion: '1.0',
    id: uuidv7(),
    source: 'prober/main',
    type: 'io.muster.alert.resolved',
    subject: 'web2/api/restarted',
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    epoch: 1,
    seq: 1,
    data: {
      ...params,
      state: 'resolved',
      fingerprint: 'web2/api/restarted',
      summary: 'api on web2 was restarted',
      reason: 'a test',
      startsAt: new Date().toISOString(),
      instances: [0],
      causes: [],
      history: [],
      labels: {},
    },
  };
  await prober.publishOrdered(rows.alert, params, alert, { expectedLastSeq: 0 });
  await eventually(() => heard.some(({ id }) => id === alert.id), { message: 'the alert' });
  await expect(observer.history(rows.alert, {})).rejects.toThrow(PermissionDeniedError);
  await expect(observer.kv('alerts').get('web2.api.restarted')).rejects.toThrow(PermissionDeniedError);
});

test.each([
  ['operator', 'cli'],
  ['dashboard', 'main'],
] as const)('%s %s reads the fleet and commands it', async (role, id) => {
  await using bus = await connect(system, role, id);
  using client = new FleetClient({ bus, actor: 'permissions test', timeoutMs: 30_000 });
  await client.ready(AbortSignal.timeout(30_000));
  await eventually(() => client.snapshot().status.has(keys.instance(system.host, 'api', 0)), {
    message: 'the status of api',
  });
  const { generation } = await system.waitUntilReady('api');
  const result = await client.agents.command(system.host, 'restart', { service: 'api' });
  expect(result).toMatchObject({ outcome: 'accepted' });
  await system.waitFor('api', (facts) => facts.generation > generation && facts.ready === 'yes');
  expect((await bus.history(rows.instanceEvent, { service: 'api' })).length).toBeGreaterThan(0);
});

test('what keeps Muster itself alive cannot be stopped over the bus', async () => {
  await using bus = await connect(system);
  using client = new FleetClient({ bus, actor: 'permissions test', timeoutMs: 30_000 });
  const result = await client.agents.command(system.host, 'stop', { service: 'nats-server' });
  expect(result).toMatchObject({ outcome: 'refused', code: 'system-service' });
});

function maySend(row: Row, role: Role): boolean {
  if (!row.publishers.includes(role)) return false;
  const scope = ROLE_SCOPE[role];
  return scope === undefined || row.template.split('.')[1] !== `{${scope}}`;
}

/** Asked as a question, so that the answer is the server's: denied, and not merely that nobody listens. */
async function expectDenied(bus: Bus, template: string): Promise<void> {
  const asking = bus.request(
    { ...commands.reload, template },
    FOREIGN,
    { ...envelope(`${bus.role}/${bus.id}`), actor: 'permissions test' },
    { timeoutMs: 10_000 },
  );
  const outcome = await asking.catch((error: unknown) => error);
  expect(outcome, `${bus.role} on ${template}`).not.toBeInstanceOf(NoResponderError);
  expect(outcome, `${bus.role} on ${template}`).toBeInstanceOf(PermissionDeniedError);
}

test('no secret leaves its host: not in what is stored, answered or written to a log', async () => {
  await system.waitFor('broken', ({ reason }) => reason.includes('cannot start'));
  await using bus = await connect(system);
  await storedEvents(bus, system.host, 'broken', (all) => all.some(({ reason }) => reason.includes('cannot start')));
  const spec = await eventually(
    async () => (await bus.kv('specs').get(keys.spec(system.host, SECRETIVE.name)))?.value,
    { timeoutMs: 60_000, message: 'what is configured, in its bucket' },
  );
  expect(spec.command).toContain('--password [redacted]');
  expect(spec.healthCheckUrl).toBe('http://127.0.0.1:9/health?token=[redacted]');
  expect(spec.environmentNames).toEqual(['API_KEY', 'GREETING']);
  // What it prints, in the stream and as its host answers.
  await eventually(async () => (await system.cli('logs', 'secretive')).stdout.includes('with [redacted]'), {
    timeoutMs: 60_000,
    message: 'its line in the stream',
  });
  const told = await Promise.all([
    system.cli('logs', 'secretive', '--on-host'),
    system.cli('logs', 'secretive', '--json'),
    system.cli('why', 'broken', '--json'),
    system.cli('why', 'secretive', '--json'),
    system.cli('status', '--json'),
    readFile(path.join(system.stateDir, 'status.json'), 'utf8'),
  ]);
  expect(JSON.stringify(told)).toContain('[redacted]');
  expect(JSON.stringify(told)).not.toContain(SECRET);
  expect(system.output).not.toContain(SECRET);
  // The stores of streams and buckets as they lie on the disk: whatever anybody put there is in them.
  const folder = path.join(system.stateDir, 'nats');
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((file) => file.isFile());
  expect(files.filter(({ name }) => name.endsWith('.blk')).length).toBeGreaterThan(3);
  const hashes = plainHashes();
  for (const { parentPath, name } of files) {
    const text = await readFile(path.join(parentPath, name), 'latin1');
    expect(text.includes(SECRET), name).toBe(false);
    for (const hash of hashes) expect(text.includes(hash), `a hash that can be guessed back, in ${name}`).toBe(false);
  }
});

/** What somebody would get who guesses the configuration right. */
function plainHashes(): readonly string[] {
  const text = servicesYaml({ name: 'api', command: ['sleep', '600'] }, SECRETIVE, BROKEN);
  const reading = readServices(text, 'services.yaml', { host: system.host });
  if (!('services' in reading)) throw new Error('services.yaml of this test is refused');
  return reading.services.map((spec) => specHash(spec));
}
