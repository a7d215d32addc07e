/* Services that are asked for at once: their shims come from one spawner, and have nothing else in common. */
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Run, RunSpec } from '../../src/drivers/driver.ts';
import { readStat } from '../../src/drivers/process/proc.ts';
import { writeScripts } from '../../src/drivers/process/script.ts';
import { Bench, insist, isGone, never, until } from './harness.ts';

const NAMES = ['api', 'worker', 'web'];

function startAll(bench: Bench, command: RunSpec['command']): Promise<Run[]> {
  const start = async (service: string) => insist(await bench.driver.start(bench.spec(command, { service }), never));
  return Promise.all(NAMES.map(start));
}

/** Its shim, once the service has become what it is to be. */
function shimOf(run: Run): Promise<number> {
  return until(`the exec of ${run.pid}`, () =>
    readFileSync(`/proc/${run.pid}/comm`, 'utf8') === 'sleep\n' ? readStat(run.pid)?.parentId : undefined,
  );
}

/** The files of run folders that a process has open, without those that the test runner leaves open for every child. */
function openOf(bench: Bench, pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    .filter((path) => path.startsWith(`${bench.runtimeFolder}/`) && !path.endsWith('.sh'));
}

test('one spawner has them all, and reaps each', async () => {
  await using bench = new Bench();
  const runs = await startAll(bench, ['sleep', '600']);
  const shims = await Promise.all(runs.map(shimOf));
  const parents = new Set(shims.map((shim) => readStat(shim)?.parentId));
  expect(parents.size).toBe(1);
  expect(parents).not.toContain(process.pid);
  const [first] = runs;
  process.kill(first?.pid ?? 0, 'SIGINT');
  expect(await first?.exited).toEqual({ kind: 'signal', signal: 'SIGINT' });
  await until('its shim is reaped', () => readStat(shims[0] ?? 0) === undefined);
  expect(runs.slice(1).map(({ pid }) => isGone(pid))).toEqual([false, false]);
});

test('each service has a session of its own, no signal ignored or blocked, and nothing of the others open', async () => {
  await using bench = new Bench();
  const runs = await startAll(bench, ['sleep', '600']);
  const shims = await Promise.all(runs.map(shimOf));
  for (const [index, { pid }] of runs.entries()) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    expect([...status.matchAll(/^Sig(?:Ign|Blk):\s*(\d+)$/gm)].map(([, mask]) => mask)).toEqual(
      Array(2).fill('0'.repeat(16)),
    );
    expect(readStat(pid)).toMatchObject({ sessionId: pid, groupId: pid });
    const own = `${bench.runtimeFolder}/${NAMES[index]}.0/`;
    const open = [pid, shims[index] ?? 0].flatMap((one) => openOf(bench, one));
    expect(open.filter((path) => !path.startsWith(own) || path.endsWith('/go'))).toEqual([]);
  }
});

test('the spawner is killed: its services and their shims go on, and how they end is known', async () => {
  await using bench = new Bench();
  const runs = await startAll(bench, ['sleep', '600']);
  const shims = await Promise.all(runs.map(shimOf));
  const spawner = readStat(shims[0] ?? 0)?.parentId ?? 0;
  process.kill(spawner, 'SIGKILL');
  await until('the spawner is gone', () => isGone(spawner));
  for (const { pid } of runs) process.kill(pid, 'SIGTERM');
  expect(await Promise.all(runs.map(({ exited }) => exited))).toEqual(
    NAMES.map(() => ({ kind: 'signal', signal: 'SIGTERM' })),
  );
});

test('shims in reserve are let go of one by one, and the rest with their agent', async () => {
  await using bench = new Bench();
  await Promise.all(NAMES.map((service) => bench.driver.prepare(bench.spec(['sleep', '600'], { service }))));
  const waiting = () => bench.tagged('MUSTER_SHIM').length;
  // Each with its starter.
  expect(waiting()).toBe(2 * NAMES.length);
  await bench.driver.prepare(bench.spec(['sleep', '601'], { service: 'api' }));
  expect(waiting()).toBe(2 * NAMES.length);
  await bench.forget();
  await until('all have ended', () => waiting() === 0);
});

test('a spawner that is killed before any shim is there costs nobody a start', async () => {
  await using bench = new Bench();
  // The first spawner waits before it makes the FIFOs.
  const file = writeScripts(bench.runtimeFolder).spawner;
  const [head = '', ...rest] = readFileSync(file, 'utf8').split('\neval "mkfifo');
  const held = `${bench.folder}/held`;
  writeFileSync(
    file,
    [head, ...rest].join(
      `\nif mkdir '${held}'; then echo $$ >'${held}/pid'; while :; do sleep 0.01; done; fi\neval "mkfifo`,
    ),
  );
  const starting = startAll(bench, ['sleep', '600']);
  const pid = await until('the spawner waits', () =>
    existsSync(`${held}/pid`) ? Number(readFileSync(`${held}/pid`, 'utf8')) : undefined,
  );
  process.kill(pid, 'SIGKILL');
  const runs = await starting;
  expect(runs.map(({ generation }) => generation)).toEqual(NAMES.map(() => 1));
  expect(runs.map((run) => isGone(run.pid))).toEqual(NAMES.map(() => false));
});
