/* The built program as the agent starts it: its arguments, its exit codes, its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { eventually, freePort, NOBODY, type TemporaryDirectory, temporaryDirectory } from '@muster/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { askAs, canBeRead, whyNobodyElse } from './support/as-account.ts';
import { startTestBus } from './support/test-bus.ts';

const MAIN = resolve(import.meta.dirname, '../dist/server/main.js');

let home: TemporaryDirectory;
const children: ChildProcess[] = [];
beforeEach(async () => {
  if (!existsSync(MAIN)) throw new Error('this test runs the built dashboard: run npm run build first');
  home = await temporaryDirectory();
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await home[Symbol.asyncDispose]();
});

async function start(options: { args?: string[]; yaml?: string; env?: Record<string, string>; uid?: number } = {}) {
  const configDir = join(home.path, 'config');
  await mkdir(configDir, { recursive: true });
  if (options.yaml !== undefined) await writeFile(join(configDir, 'dashboard.yaml'), options.yaml);
  const env = {
    PATH: process.env['PATH'],
    MUSTER_CONFIG_DIR: configDir,
    MUSTER_STATE_DIR: join(home.path, 'state'),
    ...options.env,
  };
  const { uid } = options;
  if (uid !== undefined) await chown(home.path, uid, uid);
  const child = spawn(process.execPath, [MAIN, ...(options.args ?? [])], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid !== undefined && { uid, gid: uid }),
  });
  children.push(child);
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const ended = once(child, 'exit').then(async ([code, signal]: (number | string | null)[]) => ({
    code,
    signal,
    stdout: await stdout,
    stderr: await stderr,
  }));
  return { child, ended };
}

test('--help says what it reads and how it exits', async () => {
  const { ended } = await start({ args: ['--help'] });
  const { code, stdout } = await ended;
  expect(code).toBe(0);
  expect(stdout).toContain('MUSTER_BUS_CREDENTIALS');
  expect(stdout).toContain('Exit codes');
});

test.each([
  ['an unknown option', { args: ['--port', '1'] }, /--port.*see --help/],
  [
    'a listen address that others reach',
    { yaml: 'listen: 0.0.0.0:8003\n' },
    /dashboard\.yaml:1:9: .*loopback.*sign-in/,
  ],
  ['an id that is none', { env: { MUSTER_DASHBOARD_ID: 'A.B' } }, /MUSTER_DASHBOARD_ID/],
])('%s is wrong use: one line, exit code 2', async (_name, options, line) => {
  const { ended } = await start(options);
  const { code, stderr } = await ended;
  expect([code, stderr.trimEnd().split('\n')]).toEqual([2, [expect.stringMatching(line)]]);
});

test('a port that is taken: exit code 1, and the line says what to do', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const { ended } = await start({ yaml: `listen: 127.0.0.1:${port}\n` });
  const { code, stdout } = await ended;
  other.close();
  expect(code).toBe(1);
  expect(stdout).toContain(`cannot listen on 127.0.0.1:${port}: something else does`);
});

test('run as a user that nobody is, it answers the owners that it was told, and nobody else of that user', async (context) => {
  const why = whyNobodyElse() ?? (canBeRead(MAIN, NOBODY) ? undefined : 'needs a clone that other accounts can read');
  if (why !== undefined) return context.skip(why);
  const port = await freePort();
  const { child } = await start({
    uid: NOBODY,
    yaml: `listen: 127.0.0.1:${port}\n`,
    env: { MUSTER_OWNERS: '0', MUSTER_BUS_URL: `nats://127.0.0.1:${await freePort()}` },
  });
  const data = { path: '/api/dashboard-data' };
  const asRoot = () => fetch(`http://127.0.0.1:${port}${data.path}`).catch(() => undefined);
  await eventually(async () => (await asRoot())?.status === 200, { message: 'root is answered' });
  const [told] = await askAs(NOBODY, port, [data]);
  expect([told?.status, told?.body]).toEqual([403, expect.stringContaining('answers root (uid 0) only')]);
  expect(child.exitCode).toBe(null);
});

test('blind without a bus, seeing with it, heard by others, and TERM ends it in order with a page open', async () => {
  await using bus = await startTestBus();
  const port = await freePort();
  const env = {
    MUSTER_ENVIRONMENT: 'test',
    MUSTER_BUS_URL: bus.url,
    MUSTER_BUS_CREDENTIALS: bus.credentials({ role: 'dashboard', id: 'main' }),
  };
  await bus.server.kill();
  const { child, ended } = await start({ yaml: `listen: 127.0.0.1:${port}\n`, env });
  const health = async () => (await fetch(`http://127.0.0.1:${port}/api/health`)).status;
  await eventually(async () => (await health()) === 503);
  await bus.server.restart();
  await eventually(async () => (await health()) === 200, { timeoutMs: 40_000 });
  const data = async () =>
    (await fetch(`http://127.0.0.1:${port}/api/dashboard-data`)).json() as Promise<{ components: { total: number } }>;
  await eventually(async () => (await data()).components.total === 1);

  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`);
  await once(socket, 'open');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 0, signal: null, stderr: '' });
});
