/*
 * A shim that is killed or hangs between its birth and the moment its service is let go, alone and together with its agent.
 * The scripts are the real ones, each held at one line until the test opens the gate, so that the kill meets just that moment.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@muster/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../src/drivers/driver.ts';
import { listProcesses, readStat } from '../../src/drivers/process/proc.ts';
import { type Scripts, writeScripts } from '../../src/drivers/process/script.ts';
import { Bench, buildDriverHost, Host, insist, isGone, never, until } from './harness.ts';

/** Where nothing of the shim is on record yet. */
const BEFORE_RECORD = [
  ['before its FIFOs are made', 'spawner', 'eval "mkfifo'],
  ['before the agent hears of its FIFOs', 'spawner', 'echo >&3'],
  ['while the agent opens them', 'spawner', 'read -r _'],
  ['before it is forked', 'spawner', 'eval "${shims'],
  ['at its birth', 'shim', String.raw`printf '\nshim`],
] as const;
/** It has opened nothing yet. */
const STARTER_BORN = ['while its starter is born', 'starter', 'exec 9<>'] as const;
/** Where nothing of the starter is on record yet. */
const BEFORE_READY = [
  ...BEFORE_RECORD,
  ['before it forks', 'shim', 'setsid'],
  STARTER_BORN,
  ['before its starter is on record', 'starter', String.raw`printf '\nready`],
] as const;
/** The starter waits for the go, or has it in its hands. */
const BEFORE_GO = [
  ['while its starter waits for the go', 'starter', 'read -r go ms'],
  ['before the go is on record', 'starter', String.raw`printf '\ngo`],
] as const;

/** Writes down which generation it is, and stays. */
const SERVICE = 'echo "${MUSTER_RUN##*/}" >>starts; exec sleep 600';

let builds: Bench;
let program: string;
beforeAll(() => {
  builds = new Bench();
  program = buildDriverHost(join(builds.folder, 'build'));
});
afterAll(() => builds[Symbol.asyncDispose]());

/** Holds the first run of a script before the line that begins so, until it is opened. */
class Gate {
  readonly #path: string;

  constructor(bench: Bench, script: keyof Scripts, line: string) {
    this.#path = join(bench.folder, 'gate');
    const file = writeScripts(bench.runtimeFolder)[script];
    const parts = readFileSync(file, 'utf8').split(`\n${line}`);
    if (parts.length !== 2) throw new Error(`not one line of the ${script} begins with ${line}`);
    const wait = `until [ -e '${this.#path}' ]; do sleep 0.01; done`;
    const hold = `if mkdir '${this.#path}.reached'; then ${wait}; fi`;
    writeFileSync(file, parts.join(`\n${hold}\n${line}`));
  }

  reached(): Promise<boolean> {
    return until('the gate is reached', () => existsSync(`${this.#path}.reached`));
  }

  open(): void {
    writeFileSync(this.#path, '');
  }
}

/** None of a process that has ended meanwhile, as what the gate sleeps with does all the time. */
function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

/** The shim of one generation, or what becomes it: its forks have the same command line, but do not lead its session. */
function shimOf(bench: Bench, generation: number): number {
  const shim = listProcesses().find(({ pid, sessionId }) => {
    const command = commandOf(pid);
    const isOurs = command.includes('/shim-') && command.includes(`${bench.runtimeFolder}/api.0/${generation}-`);
    return isOurs && sessionId === pid;
  })?.pid;
  if (shim === undefined) throw new Error(`generation ${generation} has no shim`);
  return shim;
}

/** One copy runs, it is this one, and of all shims and starters only its own is left. */
async function expectOnly(bench: Bench, run: Run, generations: readonly number[], shims = 1): Promise<void> {
  await until('the service has started', () => bench.lines('starts').length >= generations.length);
  await until('the others are gone', () => bench.tagged('MUSTER_SHIM').length === shims);
  expect(bench.lines('starts').map(Number)).toEqual(generations);
  // While it becomes the next program it shows no environment for a moment. A second copy would stay.
  await eventually(() => expect(bench.tagged('MUSTER_RUN')).toEqual([run.pid]));
}

test.each(BEFORE_READY)('killed %s: another shim starts it', async (_, script, line) => {
  await using bench = new Bench();
  const gate = new Gate(bench, script, line);
  const starting = bench.driver.start(bench.spec(SERVICE), never);
  await gate.reached();
  process.kill(shimOf(bench, 1), 'SIGKILL');
  const run = insist(await starting);
  expect(run.generation).toBe(1);
  gate.open();
  await expectOnly(bench, run, [1]);
});

test.each(BEFORE_GO)('killed %s: the service runs once, only its exit code is lost', async (_, script, line) => {
  await using bench = new Bench();
  const gate = new Gate(bench, script, line);
  const run = await bench.start(SERVICE);
  await gate.reached();
  process.kill(shimOf(bench, 1), 'SIGKILL');
  gate.open();
  await expectOnly(bench, run, [1], 0);
  process.kill(run.pid, 'SIGTERM');
  expect(await run.exited).toEqual({ kind: 'unknown' });
  await expectOnly(bench, await bench.start(SERVICE, { generation: 2 }), [1, 2]);
});

test('killed while it waits in reserve: another shim starts it', async () => {
  await using bench = new Bench();
  await bench.driver.prepare(bench.spec(SERVICE));
  const shim = shimOf(bench, 1);
  process.kill(shim, 'SIGKILL');
  // Not even a zombie: the agent has heard of it.
  await until('the shim is gone', () => readStat(shim) === undefined);
  const run = await bench.start(SERVICE);
  expect(isGone(shim)).toBe(true);
  await expectOnly(bench, run, [1]);
});

test.each(BEFORE_READY)(
  'killed %s, with its agent: the next agent finds nothing, and starts',
  async (_, script, line) => {
    await using bench = new Bench();
    const gate = new Gate(bench, script, line);
    const agent = new Host(program, bench, bench.spec(SERVICE));
    await gate.reached();
    process.kill(shimOf(bench, 1), 'SIGKILL');
    await agent.kill();
    expect(await bench.driver.recover(bench.spec(SERVICE), never)).toEqual({ kind: 'nothing-found' });
    gate.open();
    await expectOnly(bench, await bench.start(SERVICE, { generation: 2 }), [2]);
  },
);

test.each([...BEFORE_RECORD, STARTER_BORN])(
  'held %s while its agent dies: it starts nothing when it wakes up',
  async (_, script, line) => {
    await using bench = new Bench();
    const gate = new Gate(bench, script, line);
    const agent = new Host(program, bench, bench.spec(SERVICE));
    await gate.reached();
    const shim = shimOf(bench, 1);
    await agent.kill();
    expect(await bench.driver.recover(bench.spec(SERVICE), never)).toEqual({ kind: 'nothing-found' });
    const run = await bench.start(SERVICE, { generation: 2 });
    gate.open();
    await until('it has ended', () => isGone(shim));
    await expectOnly(bench, run, [2]);
  },
);

test.each(BEFORE_GO)('killed %s, with its agent: the next agent adopts', async (_, script, line) => {
  await using bench = new Bench();
  const gate = new Gate(bench, script, line);
  const agent = new Host(program, bench, bench.spec(SERVICE));
  await agent.step('running');
  await gate.reached();
  process.kill(shimOf(bench, 1), 'SIGKILL');
  await agent.kill();
  const recovering = bench.driver.recover(bench.spec(SERVICE), never);
  gate.open();
  const run = insist(await recovering);
  expect(run.generation).toBe(1);
  await expectOnly(bench, run, [1], 0);
});

test('killed in reserve, with its agent: its starter ends, the run goes on', async () => {
  await using bench = new Bench();
  const agent = new Host(program, bench, bench.spec(SERVICE));
  await agent.step('prepared');
  const shim = shimOf(bench, 2);
  process.kill(shim, 'SIGKILL');
  await agent.kill();
  await until('the shim is gone', () => isGone(shim));
  const run = insist(await bench.driver.recover(bench.spec(SERVICE), never));
  expect(run.generation).toBe(1);
  await expectOnly(bench, run, [1]);
});
