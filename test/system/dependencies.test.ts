/** Who waits for whom: at the start, while something is missing or broken, and in reverse at the stop. */
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { rows } from '@muster/contracts';
import {
  eventually,
  freePort,
  isAlive,
  type MusterSystem,
  startMusterSystem,
  temporaryDirectory,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { connect, killHard, linesOf, recentEvents, servicesYaml, shell, waitForBus } from './support.ts';

const LEDGERED = path.resolve(import.meta.dirname, '../fixtures/ledgered.sh');
/** A job that waits for a file, then is done. */
const UNTIL_THERE = 'until [ -e "$1" ]; do sleep 0.05; done';

test('a chain and a diamond start in order, in parallel where they may, and stop in reverse', async () => {
  await using files = await temporaryDirectory();
  const ledger = path.join(files.path, 'ledger');
  const service = (name: string, ...dependencies: readonly string[]) => ({
    name,
    command: [LEDGERED, ledger, name],
    dependencies,
  });
  await using system = await startMusterSystem({
    isEmbedded: false,
    // Written from the top of the graph down: the order of the file decides nothing.
    services: servicesYaml(
      service('roof', 'left', 'right'),
      service('left', 'floor'),
      service('right', 'floor'),
      service('floor', 'ground'),
      service('ground'),
      service('aside'),
    ),
  });
  for (const name of ['roof', 'aside']) await system.waitUntilReady(name);
  // Running is said at the spawn; the fixture's own word comes a moment later.
  await eventually(async () => (await linesOf(ledger)).length === 6, { message: 'six services in the ledger' });
  const started = new Map((await system.instances()).map((facts) => [facts.service, facts]));
  expect([...started.values()].map(({ generation }) => generation)).toEqual([1, 1, 1, 1, 1, 1]);
  const startOf = await startTimes(system, [...started.keys()]);
  for (const [dependent, dependency] of [
    ['floor', 'ground'],
    ['left', 'floor'],
    ['right', 'floor'],
    ['roof', 'left'],
    ['roof', 'right'],
  ] as const) {
    expect(startOf(dependent, 'starting'), `${dependent} after ${dependency}`).toBeGreaterThan(
      startOf(dependency, 'running'),
    );
  }

  expect(await system.shutDown()).toBe(0);
  expect(await system.tagged()).toEqual([]);
  const ends = (await linesOf(ledger)).slice(6);
  const endOf = (name: string) => ends.indexOf(`${name} down`);
  expect(ends).toHaveLength(6);
  expect(ends.filter((line) => line !== 'aside down')).toEqual([
    'roof down',
    expect.stringMatching(/^(left|right) down$/),
    expect.stringMatching(/^(left|right) down$/),
    'floor down',
    'ground down',
  ]);
  expect(endOf('aside'), 'what depends on nothing waits for nothing').toBeLessThan(endOf('ground'));
});

test('started, ready and completed are awaited as configured, and the reason names what is awaited', async () => {
  await using files = await temporaryDirectory();
  const done = path.join(files.path, 'done');
  const port = await freePort();
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml(
      { name: 'migrate', command: shell(UNTIL_THERE, done), job: true },
      { name: 'slow', command: ['sleep', '600'], probes: { readiness: { tcp: { port }, period: '100ms' } } },
      dependent('after-job', 'migrate', 'completed'),
      dependent('after-start', 'slow', 'started'),
      dependent('after-ready', 'slow', 'ready'),
    ),
  });
  await system.waitUntilReady('after-start');
  const isPending = ({ state }: { state: string }) => state === 'pending';
  expect((await system.waitFor('after-job', isPending)).reason).toContain('waits for migrate to complete');
  expect((await system.waitFor('after-ready', isPending)).reason).toContain('waits for slow to be ready');

  await writeFile(done, '');
  await system.waitUntilReady('after-job');
  expect(await system.waitFor('migrate', ({ state }) => state === 'completed')).toMatchObject({ exit: { code: 0 } });
  expect((await system.waitFor('after-ready', isPending)).generation).toBe(0);
  await using _listener = await listen(port);
  await system.waitUntilReady('after-ready');
});

test('a dependency that is not configured here leaves its dependent pending, with the reason', async () => {
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml(
      { name: 'shop', command: ['sleep', '600'], dependencies: ['database-service'] },
      { name: 'page', command: ['sleep', '600'], dependencies: ['shop'] },
      { name: 'other', command: ['sleep', '600'] },
    ),
  });
  await system.waitUntilReady('other');
  const shop = await system.waitFor('shop', ({ state }) => state === 'pending');
  expect(shop).toMatchObject({ reason: 'database-service is not configured here', generation: 0 });
  expect((await system.waitFor('page', ({ state }) => state === 'pending')).reason).toContain('waits for shop');
  await says(system, /services\.yaml:\d+:\d+: .*database-service/);
  expect(await system.shutDown()).toBe(0);
});

test('what waits starts when its dependency heals, and what runs is not touched when it falls ill', async () => {
  const port = await freePort();
  await using system = await startMusterSystem({
    isEmbedded: false,
    services: servicesYaml(
      {
        name: 'base',
        command: ['sleep', '600'],
        probes: { readiness: { tcp: { port }, period: '100ms', failure_threshold: 2 } },
      },
      { name: 'steady', command: ['sleep', '600'], dependencies: ['base'] },
      { name: 'crashing', command: ['sleep', '600'], dependencies: ['base'], restart_delay: 0 },
    ),
  });
  let listener = await listen(port);
  const steady = await system.waitUntilReady('steady');
  const crashing = await system.waitUntilReady('crashing');

  await listener[Symbol.asyncDispose]();
  await system.waitFor('base', ({ state, ready }) => state === 'running' && ready === 'no');
  await killHard(crashing.pid ?? 0);
  const waiting = await system.waitFor('crashing', ({ state }) => state === 'pending');
  expect(waiting.reason).toContain('waits for base to be ready');
  expect(await system.waitUntilReady('steady')).toMatchObject({ pid: steady.pid, generation: 1 });

  listener = await listen(port);
  expect(await system.waitUntilReady('crashing')).toMatchObject({ generation: 2, restarts: 1 });
  expect(await system.waitUntilReady('steady')).toMatchObject({ pid: steady.pid, generation: 1 });
  expect(await system.waitUntilReady('base')).toMatchObject({ generation: 1, restarts: 0 });
  await listener[Symbol.asyncDispose]();
});

/** What is wrong, the text, and where and how it must be told. */
const BROKEN: readonly (readonly [flaw: string, text: string, ...told: readonly RegExp[]])[] = [
  ['not YAML', 'services:\n  - name: a\n    command: "sleep\n', /services\.yaml:\d+:\d+: /],
  ['not a map', '- name: a\n', /services\.yaml:1:1: .*services:/],
  ['an unknown key', 'services:\n  - name: a\n    comand: sleep 1\n', /services\.yaml:3:5: .*"comand".*command/],
  ['no command', 'services:\n  - name: a\n', /services\.yaml:2:\d+: .*command/],
  ['a bad name', 'services:\n  - name: Rag API\n    command: sleep 1\n', /services\.yaml:2:11: .*Rag API/],
  [
    'a name twice',
    'services:\n  - name: a\n    command: sleep 1\n  - name: a\n    command: sleep 2\n',
    /services\.yaml:4:11: .*a/,
  ],
  [
    'a cycle',
    'services:\n  - name: a\n    command: sleep 1\n    dependencies: [b]\n  - name: b\n    command: sleep 1\n    dependencies: [c]\n  - name: c\n    command: sleep 1\n    dependencies: [a]\n',
    /services\.yaml:\d+:\d+: .*a.*b.*c/,
  ],
  [
    'a port twice',
    'services:\n  - name: a\n    command: sleep 1\n    port: 8001\n  - name: b\n    command: sleep 1\n    port: 8001\n',
    /services\.yaml:7:11: .*8001/,
  ],
  [
    'a bad duration',
    'services:\n  - name: a\n    command: sleep 1\n    stop_timeout: soon\n',
    /services\.yaml:4:19: .*soon/,
  ],
  ['a bad type', 'services:\n  - name: a\n    type: kubernetes\n    command: x\n', /services\.yaml:3:11: .*kubernetes/],
  [
    'a password in a URL',
    'services:\n  - name: a\n    command: sleep 1\n    health_check_url: http://me:hunter2@localhost/\n',
    /services\.yaml:4:23: /,
  ],
  [
    'many things at once',
    'services:\n  - name: a\n    command: sleep 1\n    port: 0\n    auto_restart: maybe\n    max_restarts: -1\n',
    /services\.yaml:4:11: /,
    /services\.yaml:5:19: /,
    /services\.yaml:6:19: /,
  ],
];

test(`${BROKEN.length} kinds of broken services.yaml: each is told with its place, and nothing is started`, async () => {
  await using system = await startMusterSystem({ isEmbedded: false });
  await eventually(async () => (await linesOf(path.join(system.stateDir, 'agent-id'))).length === 1, {
    message: 'an agent id',
    timeoutMs: 60_000,
  });
  await system.killAgent();
  for (const [flaw, text, ...told] of BROKEN) {
    const before = system.output.length;
    await system.writeServices(text);
    await system.startAgent();
    expect(await system.agentExit(), `exit code for ${flaw}`).toBe(3);
    const output = system.output.slice(before);
    for (const pattern of told) expect(output, flaw).toMatch(pattern);
    expect(output, flaw).not.toContain('hunter2');
    expect(await system.tagged(), `started despite ${flaw}`).toEqual([]);
  }
});

test('a file that breaks under live services: the next agent goes on with the last good one, and says so', async () => {
  await using system = await startMusterSystem({
    services: servicesYaml({ name: 'api', command: ['sleep', '600'] }),
  });
  await waitForBus(system);
  const { pid = 0 } = await system.waitUntilReady('api');
  await system.killAgent();
  await system.writeServices('services:\n  - name: api\n    comand: sleep 600\n');
  await system.startAgent();
  await system.waitFor('api', ({ state, reason }) => state === 'running' && reason === 'adopted');
  expect(await system.waitUntilReady('api')).toMatchObject({ pid, generation: 1 });
  expect(isAlive(pid)).toBe(true);
  await says(system, /going on with the last good services\.yaml/);

  await using bus = await connect(system);
  const refused = await eventually(
    async () => {
      const stored = await bus.history(rows.hostEvent, { host: system.host });
      return stored.find(({ message }) => message.kind === 'config-refused');
    },
    { message: 'the event of the refusal' },
  );
  expect(refused.message.reason).toMatch(/services\.yaml:3:5: .*"comand"/);
});

/** What it prints and what it writes into its files reach the test on two ways. */
async function says(system: MusterSystem, pattern: RegExp): Promise<void> {
  await eventually(() => pattern.test(system.output), { message: `${pattern} from the agent` });
}

function dependent(name: string, service: string, condition: string) {
  return { name, command: ['sleep', '600'], dependencies: [{ service, condition }] };
}

/** When each of them entered a state for the first time, by the agent's own order. */
async function startTimes(system: MusterSystem, services: readonly string[]) {
  const entered = new Map<string, number>();
  for (const service of services) {
    for (const { to, seq } of await recentEvents(system, service)) {
      const key = `${service} ${to}`;
      if (!entered.has(key)) entered.set(key, seq);
    }
  }
  return (service: string, state: string): number => {
    const seq = entered.get(`${service} ${state}`);
    if (seq === undefined) throw new Error(`'${service}' never was ${state}`);
    return seq;
  };
}

async function listen(port: number): Promise<AsyncDisposable> {
  const server = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
  await new Promise((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', reject);
  });
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
