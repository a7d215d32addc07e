import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, isRoot } from '@muster/testkit';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readStat, sendSignal } from '../../src/drivers/process/proc.ts';
import { monotonicNowMs } from '../../src/host/clock.ts';
import { Bench, never, OTHER_USER, until } from './harness.ts';

const ended = [
  ['exit 0', { kind: 'code', code: 0 }],
  ['exit 3', { kind: 'code', code: 3 }],
  ['exit 127', { kind: 'code', code: 127 }],
  ['kill -9 $$', { kind: 'signal', signal: 'SIGKILL' }],
  ['kill -TERM $$', { kind: 'signal', signal: 'SIGTERM' }],
  ['kill -INT $$', { kind: 'signal', signal: 'SIGINT' }],
] as const;

test.each(ended)('a service that does `%s`, at once, is known to have ended so', async (command, exit) => {
  await using bench = new Bench();
  const run = await bench.start(command);
  expect(await run.exited).toEqual(exit);
});

test('a run says what it is', async () => {
  await using bench = new Bench();
  const before = monotonicNowMs();
  const run = await bench.start(['sleep', '60'], { generation: 7, specHash: 'a b/c' });
  expect(run).toMatchObject({ kind: 'run', generation: 7, specHash: 'a b/c' });
  expect(run.startTimeTicks).toBe(readStat(run.pid)?.startTimeTicks);
  expect(run.startedAtMs).toBeGreaterThanOrEqual(before);
  expect(run.startedAtMs).toBeLessThanOrEqual(monotonicNowMs());
  await eventually(() => expect(run.pids()).toEqual([run.pid]));
});

test('the service leads a session and a group of its own, its shim another', async () => {
  await using bench = new Bench();
  const run = await bench.start(['sleep', '60']);
  expect(readStat(run.pid)).toMatchObject({ sessionId: run.pid, groupId: run.pid });
  const [shim] = bench.tagged('MUSTER_SHIM');
  expect(readStat(shim ?? 0)).toMatchObject({ sessionId: shim });
});

test('no signal is ignored or blocked in a service, SIGINT and SIGQUIT included', async () => {
  await using bench = new Bench();
  const run = await bench.start(['grep', '-E', 'Sig(Ign|Blk)', '/proc/self/status']);
  await run.exited;
  await bench.flush();
  expect(bench.lines().map((line) => line.split(/\s+/)[1])).toEqual(Array(2).fill('0'.repeat(16)));
});

test('a service of another user has its rights and no others, from its first moment, where it could not have got itself', async (context) => {
  context.skip(!isRoot, 'needs root, to start something as another user');
  await using bench = new Bench();
  mkdirSync(join(bench.folder, 'closed/own'), { recursive: true, mode: 0o700 });
  chmodSync(join(bench.folder, 'closed/own'), 0o711);
  const run = await bench.start(
    'grep -E "^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)" /proc/self/status; echo "$FINE ${0}"; env; ls ..',
    {
      cwd: join(bench.folder, 'closed/own'),
      user: OTHER_USER,
      environment: { PATH: process.env['PATH'] ?? '', FINE: "it's" },
    },
  );
  expect(await run.exited).toMatchObject({ kind: 'code', code: 2 });
  await bench.flush();
  const lines = bench.lines().map((line) => line.split(/\s+/).join(' ').trim());
  expect(lines).toEqual(
    expect.arrayContaining([
      'Uid: 65534 65534 65534 65534',
      'Gid: 65534 65534 65534 65534',
      'Groups:',
      ...['Inh', 'Prm', 'Eff', 'Amb'].map((set) => `Cap${set}: ${'0'.repeat(16)}`),
      'NoNewPrivs: 1',
      expect.stringContaining("it's"),
      expect.stringMatching(/^MUSTER_RUN=/),
      expect.stringMatching(/Permission denied/),
    ]),
  );
  // Nothing of the records is that user's.
  for (const { path } of bench.journals()) expect(statSync(join(bench.folder, path)).uid).toBe(0);
});

test('a service inherits the tree FIFO and its three standard streams, nothing else', async () => {
  await using bench = new Bench();
  const run = await bench.start('exec sleep 60');
  await until('the exec', () => readFileSync(`/proc/${run.pid}/comm`, 'utf8') === 'sleep\n');
  // What the test runner itself leaves open for every child has higher numbers.
  const open = () => readdirSync(`/proc/${run.pid}/fd`).filter((fd) => Number(fd) < 10);
  // A program that begins opens its libraries for a moment. What it has inherited stays.
  await eventually(() => expect(open()).toEqual(['0', '1', '2', '9']));
});

test('the log holds what the service wrote, and no word of the shell between', async () => {
  await using bench = new Bench();
  const run = await bench.start('echo out; echo err >&2; kill -9 $$');
  await run.exited;
  await bench.flush();
  expect(bench.lines().sort()).toEqual(['err', 'out']);
});

test('logs are opened for append and their folder is made', async () => {
  await using bench = new Bench();
  const log = join(bench.folder, 'logs/deep/log');
  const logFiles = { stdout: log, stderr: log };
  await (await bench.start('echo one', { logFiles })).exited;
  await (await bench.start('echo two', { logFiles, generation: 2 })).exited;
  await bench.flush();
  expect(readFileSync(log, 'utf8')).toBe('one\ntwo\n');
});

test('the environment is the one of the spec, its tag and PWD', async () => {
  await using bench = new Bench();
  await (await bench.start(['env'], { environment: { PATH: '/usr/bin:/bin', 'odd.name': '1', IFS: ':', LANG: 'C' } }))
    .exited;
  await bench.flush();
  expect(bench.lines().sort()).toEqual(
    [
      'IFS=:',
      'LANG=C',
      'PATH=/usr/bin:/bin',
      'odd.name=1',
      `PWD=${bench.folder}`,
      `MUSTER_RUN=${bench.agentId}/api/0/1`,
    ].sort(),
  );
});

test('any environment and any argument reach the service as they are', async () => {
  await using bench = new Bench();
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({
      unit: fc.constantFrom(
        "'",
        '"',
        '\\',
        '$(id)',
        '`id`',
        '\n',
        '\r',
        ' ',
        '!',
        '*',
        '\x01',
        '\x7f',
        '\x81',
        'ü',
        '🜁',
        '$IFS',
      ),
    }),
  );
  // What a shell can hold: no NUL, no half of a surrogate pair.
  const whole = text.map((value) => Buffer.from(value).toString().replaceAll('\0', ''));
  let generation = 0;
  const print = 'process.stdout.write(JSON.stringify([process.env.VALUE, process.argv.slice(1)]))';
  await fc.assert(
    fc.asyncProperty(whole, fc.array(whole, { maxLength: 3 }), async (value, words) => {
      generation += 1;
      const log = join(bench.folder, `log-${generation}`);
      const run = await bench.start([process.execPath, '-e', print, '--', ...words], {
        generation,
        environment: { VALUE: value },
        logFiles: { stdout: log, stderr: log },
      });
      expect(await run.exited).toEqual({ kind: 'code', code: 0 });
      await bench.flush();
      expect(JSON.parse(readFileSync(log, 'utf8'))).toEqual([value, words]);
    }),
    { numRuns: 25 },
  );
}, 180_000);

test('obstacles are told with the path and what to do', async () => {
  await using bench = new Bench();
  const plain = bench.write('plain.txt', 'no program');
  chmodSync(plain, 0o644);
  const start = async (...args: Parameters<Bench['spec']>) => bench.driver.start(bench.spec(...args), never);
  expect(await start(['no-such-program'], { environment: { PATH: '/usr/bin:/bin' } })).toEqual({
    kind: 'start-failed',
    isRetryable: true,
    reason:
      "cannot start service 'api': command 'no-such-program' is not in PATH (/usr/bin:/bin): install it or give its full path",
  });
  expect(await start(['./gone'])).toMatchObject({
    reason: expect.stringContaining(`'${join(bench.folder, 'gone')}' does not exist`),
  });
  expect(await start(['./plain.txt'])).toMatchObject({
    reason: expect.stringContaining(`'${plain}' is not an executable file`),
  });
  expect(await start(['true'], { cwd: '/no/such' })).toMatchObject({
    reason: expect.stringContaining("working folder '/no/such'"),
  });
  expect(await start(['true'], { environment: { A: 'x\0y' } })).toMatchObject({ isRetryable: false });
  expect(await start([])).toMatchObject({ isRetryable: false });
  expect(bench.tagged('MUSTER_SHIM')).toEqual([]);
});

test('an aborted start starts nothing', async () => {
  await using bench = new Bench();
  const outcome = await bench.driver.start(bench.spec(['sleep', '60']), AbortSignal.abort(new Error('stop requested')));
  expect(outcome).toMatchObject({ kind: 'start-failed', reason: "cannot start service 'api': stop requested" });
  expect([...bench.tagged('MUSTER_RUN'), ...bench.tagged('MUSTER_SHIM')]).toEqual([]);
});

test('a live run is never doubled: not by a second start, not by a concurrent one, not by the next agent', async () => {
  await using bench = new Bench();
  const [first, second] = await Promise.all([
    bench.driver.start(bench.spec(['sleep', '60']), never),
    bench.driver.start(bench.spec(['sleep', '60'], { generation: 2 }), never),
  ]);
  expect(first.kind).toBe('run');
  expect(second).toMatchObject({ kind: 'start-failed', reason: "service 'api' is being started already" });
  const refusal = {
    kind: 'start-failed',
    isRetryable: false,
    reason: expect.stringContaining('generation 1 is alive'),
  };
  expect(await bench.driver.start(bench.spec(['sleep', '60'], { generation: 2 }), never)).toMatchObject(refusal);
  await bench.forget();
  expect(await bench.driver.start(bench.spec(['sleep', '60'], { generation: 2 }), never)).toMatchObject(refusal);
  // The tag is there once its starter has become the service. A second copy would stay.
  await eventually(() => expect(bench.tagged('MUSTER_RUN')).toHaveLength(1));
});

test('a prepared start is used for its spec and dropped for another', async () => {
  await using bench = new Bench();
  const spec = bench.spec(['sleep', '60']);
  await bench.driver.prepare(spec);
  const [starter] = bench.tagged('MUSTER_SHIM').slice(-1);
  expect(bench.tagged('MUSTER_RUN')).toEqual([]);
  const run = await bench.start(['sleep', '60']);
  expect(run.pid).toBe(starter);

  await bench.driver.prepare({ ...spec, generation: 2 });
  process.kill(run.pid, 'SIGKILL');
  await run.exited;
  const next = await bench.start(['sleep', '61'], { generation: 2 });
  await until('only the shim of the run is left', () => bench.tagged('MUSTER_SHIM').length === 1);
  await until('the exec', () => readFileSync(`/proc/${next.pid}/cmdline`, 'utf8') === 'sleep\x0061\0');
});

test('a prepared shim that somebody killed costs a fresh one', async () => {
  await using bench = new Bench();
  await bench.driver.prepare(bench.spec('exit 5'));
  // The second may end by itself when it misses the first.
  for (const pid of bench.tagged('MUSTER_SHIM')) sendSignal(pid, 'SIGKILL');
  await until('both are dead', () => bench.tagged('MUSTER_SHIM').length === 0);
  const outcome = await eventually(async () => {
    const started = await bench.driver.start(bench.spec('exit 5'), never);
    return started.kind === 'run' ? started : undefined;
  });
  expect(await outcome.exited).toEqual({ kind: 'code', code: 5 });
});

test('old records are removed behind a start', async () => {
  await using bench = new Bench();
  for (const generation of [1, 2, 3]) await (await bench.start('exit 1', { generation })).exited;
  await bench.start(['sleep', '60'], { generation: 4 });
  const folders = () => readdirSync(join(bench.runtimeFolder, 'api.0')).map((name) => name.split('-')[0]);
  await eventually(() => expect(folders()).toEqual(['4']));
});

test('folders of a torn start are no obstacle', async () => {
  await using bench = new Bench();
  mkdirSync(join(bench.runtimeFolder, 'api.0', '1-torn'), { recursive: true, mode: 0o700 });
  expect((await bench.driver.recover(bench.spec([]), never)).kind).toBe('nothing-found');
  expect(await (await bench.start('exit 4')).exited).toEqual({ kind: 'code', code: 4 });
});

test('another agent on the same machine is none of our business', async () => {
  await using bench = new Bench();
  const tag = `MUSTER_RUN=${bench.agentId}x/api/0/1`;
  const stranger = spawn('env', [tag, 'sleep', '60'], { stdio: 'ignore' });
  const strangerPid = stranger.pid ?? 0;
  await until('the stranger', () => readFileSync(`/proc/${strangerPid}/environ`, 'latin1').includes(tag));
  expect((await bench.driver.recover(bench.spec([]), never)).kind).toBe('nothing-found');
  await (await bench.start('exit 0')).exited;
  await (await bench.start('exit 0', { generation: 2 })).exited;
  expect(stranger.exitCode).toBeNull();
  stranger.kill('SIGKILL');
});
