/**
 * What a new user does: clone, start, look, restart a service, stop, start again. Nothing but the clone is there before. Where
 * the tests are root's, the clone is then given to an ordinary user, who goes on with it.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import {
  eventually,
  type FixtureProcess,
  freePort,
  isRoot,
  killTagged,
  NOBODY,
  startFixture,
  taggedProcesses,
  temporaryDirectory,
} from '@muster/testkit';
import { expect, test } from 'vitest';
import { ROOT_DIR, withPorts } from './support.ts';

/** `npm ci` and the compilers, on a machine that does other things too. */
const INSTALL_MS = 300_000;
/** Everything is there already: about 3 s on an idle machine, four times that on a busy one. */
const SECOND_START_MS = 60_000;
/** As shipped: the three example services, the page, the bus. */
const PORTS = [8000, 8001, 8002, 8003, 4222] as const;
const EXAMPLES = PORTS.slice(0, 3);

test('a fresh clone starts with one command, is used, stops without a trace, and starts again at once', {
  timeout: 480_000,
}, async (context) => {
  context.skip(!existsSync(path.join(ROOT_DIR, '.git')), 'not a git clone: there is nothing to clone from');
  await using home = await temporaryDirectory();
  const clone = path.join(home.path, 'clone');
  // What is committed: what a colleague would get.
  const cloning = await startFixture('git', ['clone', '--quiet', '--no-hardlinks', ROOT_DIR, clone]);
  expect(await cloning.finished, cloning.lines.join('\n')).toEqual({ code: 0, signal: null });
  const portOf = await writeFreePorts(clone);
  const page = `http://127.0.0.1:${portOf(8003)}`;
  const system = new Clone(clone, { ...(await environmentIn(home.path)), HOME: home.path });
  await using _leftovers = system;

  const first = await system.npmStart();
  await first.line(`Muster runs: ${page}`, INSTALL_MS);
  for (const port of [...EXAMPLES, 8003] as const) await answers(portOf(port));
  expect((await fetch(page)).headers.get('content-type')).toContain('text/html');
  const status = await system.muster('status', '--json');
  expect(status.code, status.output).toBe(0);
  await expectUsers(system, isRoot ? OWN_USERS : undefined);
  for (const name of ['search-discovery-api', 'rag-api', 'analytics-api']) expect(status.output).toContain(name);
  const restart = await system.muster('restart', 'rag-api');
  expect(restart.code, restart.output).toBe(0);
  await answers(portOf(8001));
  await stopByCtrlC(first);
  await expectNothingLeft(system, first, portOf);

  const startedAtMs = performance.now();
  const second = await system.npmStart();
  await second.line(`Muster runs: ${page}`, INSTALL_MS);
  const tookMs = performance.now() - startedAtMs;
  console.log(`fresh clone: a second start took ${(tookMs / 1000).toFixed(1)} s`);
  expect(tookMs).toBeLessThan(SECOND_START_MS);
  for (const port of EXAMPLES) await answers(portOf(port));
  const told = await system.muster('why', 'search-discovery-api');
  expect(told.output).toContain('it was stopped with the whole system');
  expect(told.output, 'a start of the system costs no restart').toContain('restarts: 0 of');
  await stopByCtrlC(second);
  await expectNothingLeft(system, second, portOf);

  if (!isRoot) return;
  await succeeds('chown', '-R', `${NOBODY}:${NOBODY}`, home.path);
  system.actAs(['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--']);
  const third = await system.npmStart();
  await third.line(`Muster runs: ${page}`, INSTALL_MS);
  for (const port of EXAMPLES) await answers(portOf(port));
  await expectUsers(system, undefined, NOBODY);
  const kept = await system.muster('why', 'search-discovery-api');
  expect(kept.output, 'what root has left is known').toContain('it was stopped with the whole system');
  await stopByCtrlC(third);
  await expectNothingLeft(system, third, portOf);
});

/** Whom the parts of Muster that listen run as when root starts it. */
const OWN_USERS = { 'nats-server': 'muster-bus', 'health-prober': 'muster-prober', dashboard: 'muster-dashboard' };

/** Of everything that runs: the users by service, and of the rest one uid. */
async function expectUsers(
  { stateDir }: Clone,
  users: Readonly<Record<string, string>> | undefined,
  others = process.getuid?.() ?? 0,
): Promise<void> {
  const passwd = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const running = await taggedProcesses(stateDir);
  expect(running.map(({ tag }) => tag.split('/')[0])).toEqual(expect.arrayContaining(Object.keys(OWN_USERS)));
  for (const { pid, tag } of running) {
    const user = users?.[tag.split('/')[0] ?? ''];
    const uid = user === undefined ? others : Number(passwd.find(([name]) => name === user)?.[2]);
    expect(await readFile(`/proc/${pid}/status`, 'utf8'), tag).toMatch(new RegExp(`^Uid:(\t${uid}){4}$`, 'm'));
  }
}

async function succeeds(command: string, ...args: readonly string[]): Promise<void> {
  const run = await startFixture(command, args);
  expect(await run.finished, run.lines.join('\n')).toEqual({ code: 0, signal: null });
}

/** A clone that is used from a terminal. Disposing kills what still runs of it. */
class Clone implements AsyncDisposable {
  readonly stateDir: string;
  readonly #dir: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #started: FixtureProcess[] = [];
  #prefix: readonly string[] = [];

  constructor(dir: string, env: Readonly<Record<string, string>>) {
    this.#dir = dir;
    this.#env = env;
    this.stateDir = path.join(dir, '.muster');
  }

  /** From now on somebody else types: by way of this command line. */
  actAs(prefix: readonly string[]): void {
    this.#prefix = prefix;
  }

  #line(...line: readonly string[]): readonly [string, string[]] {
    const [command = '', ...args] = [...this.#prefix, ...line];
    return [command, args];
  }

  async npmStart(): Promise<FixtureProcess> {
    // In a group of its own, as a shell with a terminal starts it.
    const npm = await startFixture(...this.#line('npm', 'start'), { cwd: this.#dir, env: this.#env, detached: true });
    this.#started.push(npm);
    return npm;
  }

  async muster(...args: readonly string[]): Promise<{ code: number | null; output: string }> {
    const run = await startFixture(...this.#line('npx', '--no-install', 'muster', ...args), {
      cwd: this.#dir,
      env: this.#env,
    });
    const { code } = await run.finished;
    return { code, output: run.lines.join('\n') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { pid } of this.#started) if (hasGroup(pid)) process.kill(-pid, 'SIGKILL');
    await killTagged(this.stateDir);
  }
}

/** Where a shipped port is taken on this machine, a free one is written in its place, and nothing else. */
async function writeFreePorts(clone: string): Promise<(shipped: (typeof PORTS)[number]) => number> {
  const ports = new Map<number, number>();
  for (const port of PORTS) ports.set(port, (await isFree(port)) ? port : await freePort());
  const examples = path.join(clone, 'examples/services/node');
  const files = [
    path.join(clone, 'config/services.yaml'),
    path.join(clone, 'config/dashboard.yaml'),
    ...(await readdir(examples)).map((name) => path.join(examples, name)),
  ];
  for (const file of files) {
    const shipped = await readFile(file, 'utf8');
    await writeFile(file, withPorts(shipped, ports));
  }
  const bus = ports.get(4222);
  if (bus !== 4222) await writeFile(path.join(clone, 'config/agent.yaml'), `bus: { listen: 127.0.0.1:${bus} }\n`);
  return (shipped) => ports.get(shipped) ?? shipped;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  const isListening = await once(server, 'listening').then(
    () => true,
    () => false,
  );
  if (isListening) await once(server.close(), 'close');
  return isListening;
}

/** That of the tests, without their own Muster, with a runtime folder of its own. */
async function environmentIn(folder: string): Promise<Record<string, string>> {
  const runtimeDir = path.join(folder, 'run');
  await mkdir(runtimeDir, { mode: 0o700 });
  const { NODE_EXTRA_CA_CERTS: registryCertificates } = process.env;
  return {
    XDG_RUNTIME_DIR: runtimeDir,
    ...(registryCertificates !== undefined && { NODE_EXTRA_CA_CERTS: registryCertificates }),
  };
}

async function answers(port: number): Promise<void> {
  await eventually(async () => (await fetch(`http://127.0.0.1:${port}/api/health`)).ok, {
    timeoutMs: 60_000,
    message: `a healthy answer on port ${port}`,
  });
}

/** What a terminal does: npm, its shell and the launcher all get the signal. */
async function stopByCtrlC(npm: FixtureProcess): Promise<void> {
  process.kill(-npm.pid, 'SIGINT');
  // Not only npm's own end: the launcher has npm's output as well, and may speak after it.
  const exit = await npm.finished;
  // The launcher ends with 0, but a shell between it and npm may die of the signal it has seen as well, and npm then does.
  const orderly = [
    { code: 0, signal: null },
    { code: null, signal: 'SIGINT' },
  ];
  expect(orderly, npm.lines.join('\n')).toContainEqual(exit);
  expect(npm.lines).toContainEqual(expect.stringContaining('nothing is left running'));
}

async function expectNothingLeft(
  { stateDir }: Clone,
  npm: FixtureProcess,
  portOf: (shipped: (typeof PORTS)[number]) => number,
): Promise<void> {
  expect(await taggedProcesses(stateDir)).toEqual([]);
  // Its processes have ended; who takes the last exit codes may take a moment.
  await eventually(() => !hasGroup(npm.pid), { message: 'an end of all processes of npm start' });
  for (const port of PORTS) expect(await isFree(portOf(port)), `port ${portOf(port)} is free`).toBe(true);
}

function hasGroup(groupId: number): boolean {
  try {
    return process.kill(-groupId, 0);
  } catch {
    return false;
  }
}
