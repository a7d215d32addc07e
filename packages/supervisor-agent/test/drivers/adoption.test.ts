import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunSpec } from '../../src/drivers/driver.ts';
import { readBootId, readStat } from '../../src/drivers/process/proc.ts';
import { createRunFolder, instanceFolderOf } from '../../src/drivers/process/run-folder.ts';
import { Bench, buildDriverHost, Host, insist, isGone, never, until } from './harness.ts';

/*
 * The agent is a process of its own here, killed with -9; the test's own driver is the next agent.
 */

let builds: Bench;
let program: string;
beforeAll(() => {
  builds = new Bench();
  program = buildDriverHost(join(builds.folder, 'build'));
});
afterAll(() => builds[Symbol.asyncDispose]());

const ticking = 'n=0; while [ ! -e go ]; do n=$((n+1)); echo $n; sleep 0.02; done; exit 42';

/** Runs the spec under an agent until the next run is prepared, then kills that agent. */
async function killedAgent(bench: Bench, spec: RunSpec): Promise<{ pid: number; startedAtMs: number }> {
  const host = new Host(program, bench, spec);
  const { pid = 0, startedAtMs = 0 } = await host.step('running');
  await host.step('prepared');
  // A run is told when it is let go; its tag is there once its starter has become the service.
  await until('the exec', () => bench.tagged('MUSTER_RUN').includes(pid));
  await host.kill();
  return { pid, startedAtMs };
}

function shimOf(bench: Bench, pid: number): number {
  return bench.tagged('MUSTER_SHIM').find((shim) => shim !== pid) ?? 0;
}

async function killAndWait(pid: number): Promise<void> {
  process.kill(pid, 'SIGKILL');
  await until(`end of ${pid}`, () => isGone(pid));
}

test('the agent dies: the service keeps its pid and its log, the next agent adopts it and sees it end', async () => {
  await using bench = new Bench();
  const spec = bench.spec(ticking, { specHash: 'v1', port: 1 });
  const { pid, startedAtMs } = await killedAgent(bench, spec);
  const linesThen = bench.lines().length;
  await until('more lines', () => bench.lines().length > linesThen + 5);
  const run = insist(await bench.driver.recover(spec, never));
  expect(run).toMatchObject({ pid, generation: 1, specHash: 'v1', startedAtMs });
  expect(bench.lines()).toEqual(bench.lines().map((_, index) => String(index + 1)));
  bench.write('go', '');
  expect(await run.exited).toEqual({ kind: 'code', code: 42 });
});

test('the service ends while nobody looks: the next agent knows how, again and again until the next start', async () => {
  await using bench = new Bench();
  const spec = bench.spec(ticking);
  await killedAgent(bench, spec);
  bench.write('go', '');
  await until('the end', () => bench.tagged('MUSTER_RUN').length === 0);
  const ended = { kind: 'run-ended', generation: 1, specHash: 'hash', exit: { kind: 'code', code: 42 } };
  expect(await bench.driver.recover(spec, never)).toEqual(ended);
  await bench.forget();
  expect(await bench.driver.recover(spec, never)).toEqual(ended);
  await bench.start(['sleep', '600'], { generation: 2 });
  await bench.forget();
  expect(await bench.driver.recover(spec, never)).toMatchObject({ kind: 'run', generation: 2 });
});

test('the service ends while the next agent waits for a starter of the last one: its exit is known', async () => {
  await using bench = new Bench();
  const spec = bench.spec(ticking);
  await killedAgent(bench, spec);
  // A starter that got no go and takes its time to notice: what the adoption waits for.
  const starter = await bench.start(['sleep', '600'], { service: 'slow-starter' });
  const folder = createRunFolder(instanceFolderOf(bench.runtimeFolder, spec), { ...spec, generation: 2 }, readBootId());
  appendFileSync(folder.journal, `\nready ${starter.pid} ${starter.startTimeTicks} .\n`);
  const recovery = bench.driver.recover(spec, never);
  bench.write('go', '');
  await until('the exit is on record', () => bench.journals().some(({ text }) => text.includes('exit 42')));
  await starter.killTree();
  expect(await recovery).toMatchObject({ kind: 'run-ended', generation: 1, exit: { kind: 'code', code: 42 } });
});

test('a prepared shim ends with its agent, killed or detached', async () => {
  await using bench = new Bench();
  await killedAgent(bench, bench.spec(['sleep', '600']));
  await until('only the shim of the service is left', () => bench.tagged('MUSTER_SHIM').length === 1);
  const host = new Host(program, bench, bench.spec(['sleep', '600']));
  await host.step('adopted');
  await host.step('prepared');
  expect(bench.tagged('MUSTER_SHIM')).toHaveLength(3);
  await host.detach();
  await until('only the shim of the service is left', () => bench.tagged('MUSTER_SHIM').length === 1);
  expect(bench.tagged('MUSTER_RUN')).toHaveLength(1);
});

test('the shim is killed: the service lives on, is watched, and its exit is unknown', async () => {
  await using bench = new Bench();
  const run = await bench.start(ticking);
  await killAndWait(shimOf(bench, run.pid));
  const linesThen = bench.lines().length;
  await until('more lines', () => bench.lines().length > linesThen + 2);
  bench.write('go', '');
  expect(await run.exited).toEqual({ kind: 'unknown' });
  expect(await (await bench.start('exit 1', { generation: 2 })).exited).toEqual({ kind: 'code', code: 1 });
});

test('shim and agent are killed: the service is adopted, its exit is unknown', async () => {
  await using bench = new Bench();
  const spec = bench.spec(ticking);
  const { pid } = await killedAgent(bench, spec);
  await until('the prepared shim is gone', () => bench.tagged('MUSTER_SHIM').length === 1);
  await killAndWait(shimOf(bench, pid));
  const run = insist(await bench.driver.recover(spec, never));
  expect(run.pid).toBe(pid);
  bench.write('go', '');
  expect(await run.exited).toEqual({ kind: 'unknown' });
});

test('shim, service and agent are killed: the exit is unknown, and a start may follow', async () => {
  await using bench = new Bench();
  const spec = bench.spec(ticking);
  const { pid } = await killedAgent(bench, spec);
  await until('the prepared shim is gone', () => bench.tagged('MUSTER_SHIM').length === 1);
  await killAndWait(shimOf(bench, pid));
  await killAndWait(pid);
  const outcome = await bench.driver.recover(spec, never);
  expect(outcome).toMatchObject({ kind: 'run-ended', exit: { kind: 'unknown' } });
  expect((await bench.start(['sleep', '600'], { generation: 2 })).kind).toBe('run');
});

test('the records are lost: what is alive is an orphan, and nothing is started beside it', async () => {
  await using bench = new Bench();
  const spec = bench.spec(['sleep', '600']);
  const { pid } = await killedAgent(bench, spec);
  rmSync(bench.runtimeFolder, { recursive: true });
  expect(await bench.driver.recover(spec, never)).toEqual({
    kind: 'orphan',
    pids: [pid],
    reason: `service 'api' has live processes (${pid}) but no record of their start: end them (kill ${pid}), and it goes on as wanted`,
  });
  const start = await bench.driver.start({ ...spec, generation: 2 }, never);
  expect(start).toMatchObject({ kind: 'start-failed', isRetryable: false });
  expect(bench.tagged('MUSTER_RUN')).toEqual([pid]);
  await killAndWait(pid);
  expect((await bench.driver.recover(spec, never)).kind).toBe('nothing-found');
  expect((await bench.start(['sleep', '600'], { generation: 2 })).kind).toBe('run');
});

test('records of an earlier boot prove nothing', async () => {
  await using bench = new Bench();
  const run = await bench.start('exit 3');
  await run.exited;
  const journals = bench.journals();
  for (const { path, text } of journals) bench.write(path, text.replace(/^run \S+/m, 'run 00000000-0000'));
  await bench.forget();
  expect(journals).toHaveLength(1);
  expect((await bench.driver.recover(bench.spec([]), never)).kind).toBe('nothing-found');
});

test('a pid that means another process now is not signalled and not adopted', async () => {
  await using bench = new Bench();
  const stranger = await bench.start(['sleep', '600'], { service: 'stranger' });
  const run = await bench.start('exit 3');
  await run.exited;
  const [journal] = bench.journals().filter(({ path }) => path.includes('api.0'));
  if (journal === undefined) throw new Error('no journal');
  // As if the kernel had given the number of the dead service to the stranger, before its shim wrote the exit.
  const reused = journal.text.replace(/^ready \d+/m, `ready ${stranger.pid}`).replace(/^exit.*$/m, '');
  bench.write(journal.path, reused.replace(/^(ready \d+) \d+/m, '$1 1'));
  await bench.forget();
  expect(await bench.driver.recover(bench.spec([]), never)).toMatchObject({
    kind: 'run-ended',
    exit: { kind: 'unknown' },
  });
  expect((await bench.start(['sleep', '600'], { generation: 2 })).kind).toBe('run');
  expect(readStat(stranger.pid)?.state).toBe('S');
});

test('a starter that hangs before its go is ended before anything is started', async () => {
  await using bench = new Bench();
  const spec = bench.spec(['sleep', '600']);
  await bench.driver.prepare(spec);
  const starter = Number(/^ready (\d+)/m.exec(bench.journals()[0]?.text ?? '')?.[1]);
  process.kill(starter, 'SIGSTOP');
  const run = await bench.start(['true'], { generation: 2 });
  expect(isGone(starter)).toBe(true);
  expect(await run.exited).toEqual({ kind: 'code', code: 0 });
});

test('what a dead run left is ended by the recovery too: nobody may ever start that service again', async () => {
  await using bench = new Bench();
  const spec = bench.spec(`setsid sleep 600 & while [ ! -e go ]; do sleep 0.01; done; exit 42`);
  await killedAgent(bench, spec);
  bench.write('go', '');
  await until('the main process has ended', () => bench.journals().some(({ text }) => /^exit 42 \.$/m.test(text)));
  expect(bench.tagged('MUSTER_RUN')).toHaveLength(1);
  expect(await bench.driver.recover(spec, never)).toMatchObject({
    kind: 'run-ended',
    exit: { kind: 'code', code: 42 },
  });
  expect(bench.tagged('MUSTER_RUN')).toEqual([]);
});
