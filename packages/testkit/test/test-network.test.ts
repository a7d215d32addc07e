import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import {
  eventually,
  type FixtureProcess,
  freePort,
  startFixture,
  startTcpFaults,
  startTestNetwork,
  type TestHost,
  whyNoTestNetwork,
} from '@muster/testkit';
import { expect, test } from 'vitest';

const PORT = 4_000;
/** Longer than anything on one machine takes that is not held up. */
const QUIET_MS = 300;

/** Says every line back. */
const ECHO = `require('net').createServer((socket) => socket.on('error', () => {}).pipe(socket))
  .listen(${PORT}, () => console.log('listening'))`;
/** Sends each line of its input, and prints what comes back. */
const TALK = `const socket = require('net').connect(${PORT}, process.argv[1], () => console.log('connected'));
socket.on('error', () => {}).on('close', () => console.log('closed')).pipe(process.stdout);
process.stdin.pipe(socket)`;

async function startOn(host: TestHost, script: string, ...args: readonly string[]): Promise<FixtureProcess> {
  const [command, ...line] = host.command(process.execPath, '-e', script, ...args);
  return startFixture(command, line);
}

async function expectSilence(fixture: FixtureProcess, line: string): Promise<void> {
  await expect(fixture.line(line, QUIET_MS)).rejects.toThrow(/not so within/);
}

test('hosts talk over their switch, until it is cut, drops or is killed; nothing of it is left', async (context) => {
  const reason = whyNoTestNetwork();
  context.skip(reason !== undefined, reason);
  const network = await startTestNetwork(['a', 'b']);
  const [a, b] = [network.host('a'), network.host('b')];
  await using echo = await startOn(b, ECHO);
  await echo.line('listening');
  await using talk = await startOn(a, TALK, b.address);
  await talk.line('connected');
  const say = (line: string) => talk.child.stdin?.write(`${line}\n`);
  say('hello');
  await talk.line('hello');

  for (const [fault, break_] of [
    ['cut', () => b.cut()],
    ['lost on the way there', () => a.drop('from')],
    ['lost on the way back', () => a.drop('to')],
  ] as const) {
    await break_();
    say(fault);
    await expectSilence(talk, fault);
    await a.heal();
    await b.heal();
    // The kernel sends it again.
    await talk.line(fault);
  }

  await using door = await b.open(PORT);
  const socket = connect(door.port, '127.0.0.1');
  socket.on('error', () => {}).write('from outside');
  expect(String((await once(socket, 'data'))[0])).toBe('from outside');

  await a.killConnections();
  await talk.line('closed');
  await network[Symbol.asyncDispose]();
  await echo.exited;
  expect(existsSync(a.command('true')[1]?.replace('--net=', '') ?? '')).toBe(false);
});

test('a connection is passed on, delayed, stalled and cut', async () => {
  const port = await freePort();
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(port, '127.0.0.1');
  await once(server, 'listening');
  await using faults = await startTcpFaults({ port, host: '127.0.0.1' });
  const socket = connect(faults.port, '127.0.0.1');
  socket.on('error', () => {});
  let heard = '';
  socket.on('data', (piece) => {
    heard += String(piece);
  });
  const hears = (text: string) => eventually(() => heard === text, { message: `'${text}' heard` });
  socket.write('1');
  await hears('1');

  faults.delay(QUIET_MS);
  const askedAtMs = performance.now();
  socket.write('2');
  await hears('12');
  // There and back.
  expect(performance.now() - askedAtMs).toBeGreaterThanOrEqual(2 * QUIET_MS);
  faults.delay(0);

  faults.stall();
  socket.write('3');
  const late = connect(faults.port, '127.0.0.1');
  await once(late, 'connect');
  late.destroy();
  await expect(eventually(() => heard !== '12', { timeoutMs: QUIET_MS })).rejects.toThrow('not so within');
  await faults.heal();
  await hears('123');

  await faults.cut();
  await eventually(() => socket.destroyed, { message: 'the end of the connection' });
  expect(faults.connections).toBe(0);
  expect(await failure(connect(faults.port, '127.0.0.1'))).toBe('ECONNREFUSED');
  await faults.heal();
  const again = connect(faults.port, '127.0.0.1');
  await once(again, 'connect');
  again.destroy();
  server.close();
});

test('nothing comes before its delay is over', async () => {
  const delayMs = 10;
  const port = await freePort();
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(port, '127.0.0.1');
  await once(server, 'listening');
  await using faults = await startTcpFaults({ port, host: '127.0.0.1' });
  const socket = connect(faults.port, '127.0.0.1');
  await once(socket, 'connect');
  faults.delay(delayMs);
  for (let round = 0; round < 20; round += 1) {
    const askedAtMs = performance.now();
    socket.write('1');
    await once(socket, 'data');
    // There and back.
    expect(performance.now() - askedAtMs).toBeGreaterThanOrEqual(2 * delayMs);
  }
  socket.destroy();
  server.close();
});

async function failure(socket: Socket): Promise<string | undefined> {
  const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  return error.code;
}
