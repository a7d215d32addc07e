import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  eventually,
  findChromium,
  findPython,
  freePort,
  isAlive,
  seededRandom,
  startNatsServer,
  startShellFixture,
  temporaryDirectory,
} from '@muster/testkit';
import { afterEach, describe, expect, test, vi } from 'vitest';

afterEach(() => vi.unstubAllEnvs());

async function greeting(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const [data] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return data.toString('utf8');
}

test('a nats-server accepts connections, keeps its port over a restart, and leaves nothing', async () => {
  const server = await startNatsServer();
  expect(await greeting(server.port)).toMatch(/^INFO /);
  const { pid, port, storeDir } = server;
  await server.restart();
  expect(server.port).toBe(port);
  expect(server.pid).not.toBe(pid);
  expect(await greeting(port)).toMatch(/"jetstream":true/);
  await server[Symbol.asyncDispose]();
  expect(isAlive(server.pid)).toBe(false);
  expect(existsSync(storeDir)).toBe(false);
});

test('a nats-server that refuses its configuration says why', async () => {
  await expect(startNatsServer({ config: 'no_such_key: 1' })).rejects.toThrow(/no_such_key/);
});

test('eventually gives up with the last reason', async () => {
  const never = eventually(() => Promise.reject(new Error('still away')), { timeoutMs: 30, message: 'the server' });
  await expect(never).rejects.toThrow('the server: not so within 30 ms: still away');
});

test('eventually gives up on a check that does not come back', { timeout: 30_000 }, async () => {
  const never = eventually(() => new Promise(() => {}), { timeoutMs: 30, message: 'the server' });
  await expect(never).rejects.toThrow('the server: not so within 30 ms: it did not come back');
});

test('eventually looks once more when its time is over: it may not have been let run before', async () => {
  let isSo = false;
  const waiting = eventually(() => isSo, { timeoutMs: 30 });
  const stuckUntilMs = performance.now() + 60;
  while (performance.now() < stuckUntilMs);
  isSo = true;
  expect(await waiting).toBe(true);
});

test('a fixture is read line by line, and its end is known', async () => {
  await using fixture = await startShellFixture('echo ready; read answer; echo "got $answer"; exit 3');
  expect(await fixture.line('ready')).toBe('ready');
  fixture.child.stdin?.write('yes\n');
  expect(await fixture.line(/^got/)).toBe('got yes');
  expect(await fixture.exited).toEqual({ code: 3, signal: null });
  await expect(fixture.line('never')).rejects.toThrow(/exited without a line never/);
});

test('a zombie is dead', async () => {
  // The shell becomes `tail`, which never reads the exit code of the child it inherits.
  await using parent = await startShellFixture('sleep 0 & echo "child $!"; exec tail -f /dev/null');
  const child = Number((await parent.line(/^child/)).split(' ')[1]);
  await eventually(() => !isAlive(child), { message: `process ${child} is a zombie` });
  expect(existsSync(`/proc/${child}`)).toBe(true);
  expect(isAlive(parent.pid)).toBe(true);
});

test('the same seed gives the same numbers', () => {
  const numbers = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 5 }, () => random.integer(0, 1_000));
  };
  expect(numbers(7)).toEqual(numbers(7));
  expect(numbers(7)).not.toEqual(numbers(8));
});

test('temporary directories and ports are of one’s own', async () => {
  const directory = await temporaryDirectory();
  expect(existsSync(directory.path)).toBe(true);
  await directory[Symbol.asyncDispose]();
  expect(existsSync(directory.path)).toBe(false);
  const ports: number[] = [];
  for (let count = 0; count < 100; count += 1) ports.push(await freePort());
  expect(new Set(ports).size, 'each is given once').toBe(ports.length);
});

test('a port is not one that the kernel may give to somebody before it is taken', async (context) => {
  const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
  context.skip((first ?? 0) < 12_000, 'the kernel gives nearly all ports by itself');
  expect(await freePort()).toBeLessThan(first ?? 0);
});

test('what a fixture printed last is there once it has finished, whoever held its output until then', async () => {
  await using fixture = await startShellFixture('(sleep 0.3; echo last words) & exit 3');
  expect(await fixture.exited).toEqual({ code: 3, signal: null });
  expect(await fixture.line('last words')).toBe('last words');
  expect(await fixture.finished).toEqual({ code: 3, signal: null });
  expect(fixture.lines).toEqual(['last words']);
});

describe('programs that a test needs', () => {
  test('a Python that imports the modules is found behind one on PATH that does not', async () => {
    await using directory = await temporaryDirectory();
    const mine = join(directory.path, 'python3');
    vi.stubEnv('PATH', directory.path);
    await writeFile(mine, '#!/bin/sh\ncase "$2" in *absent*) exit 1;; esac\n', { mode: 0o755 });
    expect(findPython('json')).toBe(mine);
    expect(findPython('json', 'absent_module')).toBeUndefined();
    await writeFile(mine, '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    expect([undefined, '/usr/bin/python3']).toContain(findPython('json'));
  });

  test('a browser is the one that is named, else the first on PATH', async () => {
    await using directory = await temporaryDirectory();
    const chrome = join(directory.path, 'chromium');
    await writeFile(chrome, '', { mode: 0o755 });
    vi.stubEnv('PATH', directory.path);
    vi.stubEnv('CHROMIUM', '');
    expect(findChromium()).toBe(chrome);
    vi.stubEnv('CHROMIUM', '/opt/browser');
    expect(findChromium()).toBe('/opt/browser');
  });
});
