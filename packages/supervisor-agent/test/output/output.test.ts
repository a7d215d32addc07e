/*
 * What services print, on its way into their log files: real programs, a real writer, kills and stops of every part.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { seededRandom, startSmallDisk, whyNoSmallDisk } from '@muster/testkit';
import { describe, expect, test } from 'vitest';
import type { Run } from '../../src/drivers/driver.ts';
import { isAlive, readStat, sendSignal } from '../../src/drivers/process/proc.ts';
import { readIndex } from '../../src/output/log-index.ts';
import { Bench, never, OTHER_USER, until } from '../drivers/harness.ts';

const isRoot = process.getuid?.() === 0;

/** The output writer of a bench, once it listens. */
async function writerOf(bench: Bench, former = 0): Promise<number> {
  const file = path.join(bench.runtimeFolder, 'output.pid');
  return until('an output writer', () => {
    const pid = Number(readFileSync(file, 'utf8').split(' ')[0]);
    return pid !== former && readStat(pid) !== undefined ? pid : undefined;
  });
}

/** How many bytes the log itself says are missing. */
function toldLoss(text: string): number {
  return [...text.matchAll(/^muster: (?:up to )?(\d+) bytes of this output are missing here/gm)].reduce(
    (sum, [, bytes]) => sum + Number(bytes),
    0,
  );
}

describe.each([
  { whose: "the agent's user", rights: {} },
  ...(isRoot ? [{ whose: 'another user', rights: { user: OTHER_USER } }] : []),
])('a program of $whose', ({ rights }) => {
  test.each([
    ['a shell', 'echo "path" > /dev/stdout; echo "err" > /dev/stderr'],
    ['tee', 'echo path | tee /dev/stderr >/dev/null; echo path'],
    ['Node', `${process.execPath} -e 'fs.writeFileSync("/dev/stdout","path\\n",{flag:"w"})'`],
    ['its number in /proc', 'echo path > /proc/self/fd/1'],
  ])('opens its output by its path, for writing from the start, and nothing is cut: %s', async (_name, command) => {
    await using bench = new Bench();
    const body = `echo before-1; echo before-2; ${command}; echo after`;
    const stderr = path.join(bench.folder, 'err');
    const logFiles = { stdout: bench.log, stderr };
    const run = await bench.start(body, { logFiles, cwd: '/', ...rights });
    expect(await run.exited).toEqual({ kind: 'code', code: 0 });
    await bench.flush();
    expect(bench.lines()).toEqual(['before-1', 'before-2', 'path', 'after']);
  });
});

test('without an agent it goes on; lines have their time and their run all the same', async () => {
  await using bench = new Bench();
  const run = await bench.start('trap : HUP; n=0; while sleep 0.05; do n=$((n + 1)); echo $n; done', { generation: 7 });
  await until('first lines', () => bench.lines().length > 2);
  await bench.forget();
  const awayMs = Date.now();
  const linesThen = bench.lines().length;
  await until('lines without an agent', () => bench.lines().length > linesThen + 10);
  const backMs = Date.now();
  await bench.driver.recover(bench.spec(''), never);
  const entries = readIndex(bench.log, 0, statSync(bench.log).size);
  expect(new Set(entries.map(({ generation }) => generation))).toEqual(new Set([7]));
  expect(entries.filter(({ timeMs }) => timeMs > awayMs && timeMs < backMs).length).toBeGreaterThan(5);
  expect(bench.lines()).toEqual(bench.lines().map((_, line) => String(line + 1)));
  await run.killTree();
});

test('after a crash the lines of either run are told apart to the byte', async () => {
  await using bench = new Bench();
  const lastWords = 'echo of-one; printf "last words"; kill -9 $$';
  await (await bench.start(lastWords, { generation: 1 })).exited;
  await (await bench.start('echo of-two', { generation: 2 })).exited;
  await bench.flush();
  expect(bench.read()).toBe('of-one\nlast wordsof-two\n');
  const [first, ...rest] = readIndex(bench.log, 0, 100);
  expect(first).toMatchObject({ offset: 0, generation: 1 });
  expect(rest.at(-1)).toMatchObject({ offset: 'of-one\nlast words'.length, generation: 2 });
});

test('what a program prints while neither agent nor writer lives is kept, also when it ends meanwhile', async () => {
  await using bench = new Bench();
  const go = path.join(bench.folder, 'go');
  const body = `echo one; while [ ! -e '${go}' ]; do sleep 0.02; done; echo "last words"; exit 3`;
  const run = await bench.start(body);
  await until('the first line', () => bench.lines().length === 1);
  await bench.close();
  sendSignal(await writerOf(bench), 'SIGKILL');
  writeFileSync(go, '');
  await until('its end', () => !isAlive({ pid: run.pid, startTimeTicks: run.startTimeTicks }));
  await bench.forget();
  const found = await bench.driver.recover(bench.spec(''), never);
  expect(found).toMatchObject({ kind: 'run-ended', exit: { kind: 'code', code: 3 } });
  await bench.flush();
  expect(bench.lines()).toEqual(['one', 'last words']);
  await until('nobody waits any more', () => bench.tagged('MUSTER_SHIM').length === 0);
});

test('a writer that hangs is replaced: nothing is lost, and it is told', async () => {
  await using bench = new Bench();
  const run = await bench.start('n=0; while sleep 0.02; do n=$((n + 1)); echo $n; done');
  await until('first lines', () => bench.lines().length > 2);
  const hung = await writerOf(bench);
  sendSignal(hung, 'SIGSTOP');
  await until('it is told', () => bench.problems.length > 1);
  expect(bench.problems).toEqual([expect.stringContaining('does not answer'), undefined]);
  await writerOf(bench, hung);
  const linesThen = bench.lines().length;
  await until('more lines', () => bench.lines().length > linesThen + 10);
  expect(bench.lines()).toEqual(bench.lines().map((_, line) => String(line + 1)));
  await run.killTree();
});

test('whenever the writer or the agent is killed under a flood, each byte is there or counted', async () => {
  const { MUSTER_SEED: given } = process.env;
  const random = seededRandom(given === undefined ? undefined : Number(given));
  const { seed } = random;
  await using bench = new Bench();
  // 100 bytes a line, some 20 MB/s; Node's own write tells that nothing ever fails.
  const lines = 1_200_000;
  const program = `const fs = require('fs'); let n = 0, at = Date.now();
    const turn = () => { let text = ''; for (let k = 0; k < 10000; k += 1) text += String(n += 1).padStart(99, '0') + '\\n';
      const bytes = Buffer.from(text); let done = 0; while (done < bytes.length) done += fs.writeSync(1, bytes, done);
      if (n < ${lines}) setTimeout(turn, Math.max(0, (at += 50) - Date.now())); }; turn();`;
  let exit: unknown;
  const watch = (run: Run) =>
    void run.exited.then((how) => {
      exit = how;
    });
  watch(await bench.start([process.execPath, '-e', program]));
  let writer = await writerOf(bench);
  let kills = 0;
  while (exit === undefined) {
    // At any moment: nothing is waited for.
    await setTimeout(random.integer(100, 600));
    if (random.next() < 0.3) {
      await bench.forget();
      const found = await bench.driver.recover(bench.spec(''), never);
      if (found.kind === 'run') watch(found);
      else exit = 'exit' in found ? found.exit : found;
    } else {
      sendSignal(writer, 'SIGKILL');
      kills += 1;
      writer = await writerOf(bench, writer);
    }
  }
  expect(exit, `seed ${seed}`).toEqual({ kind: 'code', code: 0 });
  await bench.flush();
  const text = bench.read();
  const told = toldLoss(text);
  const numbers = text
    .split('\n')
    .filter((line) => /^\d{99}$/.test(line))
    .map(Number);
  const missing = lines * 100 - text.replaceAll(/^muster: .*\n/gm, '').length;
  expect(numbers, `seed ${seed}`).toEqual([...numbers].sort((a, b) => a - b));
  expect(missing, `seed ${seed}, ${kills} kills, ${told} bytes told as missing`).toBeLessThanOrEqual(told);
  expect(told, 'a read at most of each kill').toBeLessThanOrEqual(kills * 64 * 1024);
  expect(new Set(numbers).size).toBe(numbers.length);
}, 180_000);

test('a log file that somebody has emptied or deleted makes no loss of what was written', async () => {
  await using bench = new Bench();
  const go = path.join(bench.folder, 'go');
  const run = await bench.start(`echo one; while [ ! -e '${go}' ]; do sleep 0.02; done; echo two`);
  await until('the first line', () => bench.lines().length === 1);
  const first = await writerOf(bench);
  truncateSync(bench.log);
  sendSignal(first, 'SIGKILL');
  await writerOf(bench, first);
  writeFileSync(go, '');
  await run.exited;
  await bench.flush();
  expect(bench.lines()).toEqual(['two']);
});

test('a writer out of descriptors drains a run once it has some again', async () => {
  await using bench = new Bench();
  const first = await bench.start('echo first; sleep 1000');
  await until('the first line', () => bench.lines().length === 1);
  const writer = await writerOf(bench);
  const limit = (files: number) => execFileSync('prlimit', [`--pid=${writer}`, `--nofile=${files}:`]);
  limit(3);
  const flood = 'head -c 300000 /dev/zero | tr "\\0" x; echo; echo done >&2';
  const logFiles = { stdout: path.join(bench.folder, 'second'), stderr: path.join(bench.folder, 'second') };
  const second = await bench.start(flood, { service: 'second', logFiles });
  await setTimeout(2_000);
  limit(1_000);
  expect(await second.exited).toEqual({ kind: 'code', code: 0 });
  await until('all that it printed', () => bench.read('second').length === 300_000 + '\ndone\n'.length);
  await first.killTree();
});

test.skipIf(whyNoSmallDisk() !== undefined)(
  'a full disk stops nobody, and what it does not take is counted',
  async () => {
    await using disk = await startSmallDisk(1);
    await using bench = new Bench();
    const log = path.join(disk.seenPath, 'log');
    const go = path.join(bench.folder, 'go');
    const flood = `head -c 3000000 /dev/zero | tr '\\0' x; echo; echo printed >&2`;
    const body = `${flood}; while [ ! -e '${go}' ]; do sleep 0.02; done; echo again`;
    const run = await bench.start(body, { logFiles: { stdout: log, stderr: bench.log } });
    await until('it has printed all, and waits', () => bench.lines().length === 1);
    await bench.flush();
    const { size } = statSync(log);
    truncateSync(log, 100);
    writeFileSync(go, '');
    await run.exited;
    await bench.flush();
    const text = readFileSync(log, 'utf8');
    expect(text.slice(100)).toMatch(/^\nmuster: \d+ bytes of this output are missing here: .*ENOSPC.*\nagain\n$/);
    expect(toldLoss(text)).toBe(3_000_001 - size);
  },
);
