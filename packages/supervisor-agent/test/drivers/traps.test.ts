import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { eventually, findPython } from '@muster/testkit';
import { expect, test } from 'vitest';
import type { Run } from '../../src/drivers/driver.ts';
import { hasOpen, readStat } from '../../src/drivers/process/proc.ts';
import { Bench, isGone, never, until } from './harness.ts';

/** Waits for lines `name pid` in the log. */
function pidOf(bench: Bench, name: string): Promise<number> {
  return until(`pid of ${name}`, () => {
    const line = bench.lines().find((text) => text.startsWith(`${name} `));
    return line === undefined ? undefined : Number(line.split(' ')[1]);
  });
}

async function stop(run: Run): Promise<void> {
  await run.killTree();
  await run.treeGone(never);
}

/** Leaves the session and closes what it was given: input, log and the tree's FIFO (9). */
const daemon = `setsid sh -c 'echo daemon $$; exec <&- >&- 2>&- 9>&-; exec sleep 600'`;
/** Leaves the session, keeps the descriptors. */
const stray = `setsid sh -c 'echo stray $$; exec sleep 600'`;

test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const)(
  '%s to the group ends the service and not its shim',
  async (signal) => {
    await using bench = new Bench();
    const run = await bench.start('sleep 600 & sleep 601');
    await until('the children', () => bench.tagged('MUSTER_RUN').length === 3);
    process.kill(-run.pid, signal);
    // In a shell without a terminal, background children ignore INT and QUIT: not what this test is about.
    expect(await run.exited).toEqual({ kind: 'signal', signal });
    await stop(run);
  },
);

test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGPIPE', 'SIGUSR1'] as const)(
  'a shim survives %s',
  async (signal) => {
    await using bench = new Bench();
    const run = await bench.start(['sleep', '600']);
    await until('the exec', () => bench.tagged('MUSTER_SHIM').length === 1);
    const [shim = 0] = bench.tagged('MUSTER_SHIM');
    process.kill(-shim, signal);
    process.kill(run.pid, 'SIGKILL');
    expect(await run.exited).toEqual({ kind: 'signal', signal: 'SIGKILL' });
  },
);

test('a stop takes the whole tree: group, strays and what closed its descriptors', async () => {
  await using bench = new Bench();
  const run = await bench.start(`${stray} & ${daemon} & sleep 600 & wait`);
  const [straying, daemonized] = await Promise.all([pidOf(bench, 'stray'), pidOf(bench, 'daemon')]);
  await eventually(() => expect(run.pids()).toEqual(expect.arrayContaining([run.pid, straying, daemonized])));
  const tree = join(bench.folder, dirname(bench.journals()[0]?.path ?? ''), 'tree');
  expect(hasOpen(straying, tree)).toBe(true);
  await until('the daemon has closed its descriptors', () => !hasOpen(daemonized, tree));
  await run.signalTree('SIGTERM');
  await run.treeGone(never);
  expect(await run.exited).toEqual({ kind: 'signal', signal: 'SIGTERM' });
  expect(bench.tagged('MUSTER_RUN')).toEqual([]);
});

test('a service deaf to SIGTERM is killed', async () => {
  await using bench = new Bench();
  const run = await bench.start(`trap '' TERM; echo deaf $$; while :; do sleep 0.05; done`);
  await pidOf(bench, 'deaf');
  await run.signalTree('SIGTERM');
  await expect(run.treeGone(AbortSignal.timeout(200))).rejects.toThrow(/service 'api' is not stopped: .*\d+/);
  await stop(run);
  expect(await run.exited).toEqual({ kind: 'signal', signal: 'SIGKILL' });
});

test('a stop is not done while the port is taken', async () => {
  await using bench = new Bench();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const run = await bench.start(['sleep', '600'], { port });
  await run.killTree();
  await expect(run.treeGone(AbortSignal.timeout(100))).rejects.toThrow(`port ${port} is still taken`);
  server.close();
  await run.treeGone(never);
});

test.each([
  ['crash', stray, 'stray', 'exit 1'],
  ['crash', `trap '' TERM; ${stray}`, 'stray', 'exit 1'],
  ['end', daemon, 'daemon', 'exit 0'],
] as const)('what a run leaves behind at its %s is ended before the next start (%#)', async (_, start, name, exit) => {
  await using bench = new Bench();
  const run = await bench.start(`${start} & until grep -q "^${name} " ${bench.log}; do sleep 0.01; done; ${exit}`);
  const leftover = await pidOf(bench, name);
  await bench.driver.prepare(bench.spec(['sleep', '600'], { generation: 2 }));
  await run.exited;
  expect(isGone(leftover)).toBe(false);
  await bench.start(['sleep', '600'], { generation: 2 });
  expect(isGone(leftover)).toBe(true);
});

test('a daemon that hid from the cheap look is ended right behind a hot restart', async () => {
  await using bench = new Bench();
  const run = await bench.start(
    `${daemon} & until grep -q "^daemon " ${bench.log}; do sleep 0.01; done; sleep 0.3; exit 1`,
  );
  const leftover = await pidOf(bench, 'daemon');
  await bench.driver.prepare(bench.spec(['sleep', '600'], { generation: 2 }));
  await run.exited;
  const next = await bench.start(['sleep', '600'], { generation: 2 });
  await until('the daemon is ended', () => isGone(leftover));
  expect(isGone(next.pid)).toBe(false);
});

test('a daemon that was seen while the run was alive is ended before the next start', async () => {
  await using bench = new Bench();
  const run = await bench.start(`${daemon} & while [ ! -e go ]; do sleep 0.01; done; exit 1`);
  const leftover = await pidOf(bench, 'daemon');
  await eventually(() => expect(run.pids()).toContain(leftover));
  await bench.driver.prepare(bench.spec(['sleep', '600'], { generation: 2 }));
  writeFileSync(`${bench.folder}/go`, '');
  await run.exited;
  await bench.start(['sleep', '600'], { generation: 2 });
  expect(isGone(leftover)).toBe(true);
});

test('zombies are dead: an unreaped child holds up neither stop nor restart', async () => {
  await using bench = new Bench();
  // The child ends once the shell that would have reaped it has become a program that does not.
  const run = await bench.start(
    '(until grep -qx sleep /proc/$$/comm; do sleep 0.01; done) & echo "zombie $!"; exec sleep 600',
  );
  const zombie = await pidOf(bench, 'zombie');
  await until('it is a zombie', () => readStat(zombie)?.state === 'Z');
  expect(run.pids()).not.toContain(zombie);
  await stop(run);
  const next = await bench.start(['sleep', '600'], { generation: 2 });
  expect(next.kind).toBe('run');
});

test('a process whose first thread has ended is alive', async (context) => {
  const python = findPython('ctypes', 'threading');
  if (python === undefined) return context.skip('no python3 here imports ctypes');
  await using bench = new Bench();
  const program = `import ctypes, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
print("leader 1", flush=True)
ctypes.CDLL(None).pthread_exit(None)`;
  const run = await bench.start([python, '-c', program]);
  await until('the leader is a zombie', () => readStat(run.pid)?.state === 'Z');
  await bench.forget();
  expect((await bench.driver.recover(bench.spec([]), never)).kind).toBe('run');
});
