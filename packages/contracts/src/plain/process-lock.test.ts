import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readBootId, readStat } from './process.js';
import { findLockHolder, ProcessLock, takeProcessLock } from './process-lock.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-lock-'));
  file = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true }));

function holdAs(pid: number, startTimeTicks: number, bootId = readBootId()): void {
  writeFileSync(file, JSON.stringify({ pid, startTimeTicks, bootId }));
}

function take(): ProcessLock {
  const lock = takeProcessLock(file);
  if (lock instanceof ProcessLock) return lock;
  throw new Error(`pid ${lock.pid} holds it`);
}

test('who holds it is told, with where to look, until it lets go', () => {
  const lock = take();
  expect(findLockHolder(file)).toMatchObject({ pid: process.pid });
  lock.publish('http://127.0.0.1:8003');
  expect(takeProcessLock(file)).toMatchObject({ pid: process.pid, url: 'http://127.0.0.1:8003' });
  lock.release();
  expect(findLockHolder(file)).toBeUndefined();
  expect(readdirSync(folder), 'nothing is left').toEqual([]);
});

test.each([
  ['a pid that belongs to somebody else by now', () => holdAs(process.ppid, 1)],
  ['a holder of an earlier boot', () => holdAs(process.ppid, readStat(process.ppid)?.startTimeTicks ?? 0, 'former')],
  ['a torn file', () => writeFileSync(file, '{"pid":')],
  ['foreign text', () => writeFileSync(file, '{}')],
])('%s holds nothing', (_what, leave) => {
  leave();
  take().release();
  expect(readdirSync(folder), 'nothing is left').toEqual([]);
});

test('of many who find the lock of a dead holder at once, one gets it', async () => {
  const program = new URL('../../test/fixtures/take-lock.mjs', import.meta.url);
  const contenders = Array.from({ length: 6 }, () => fork(program, [file]));
  const answers = (): Promise<string[]> => Promise.all(contenders.map((child) => answerOf(child)));
  await answers();
  for (let round = 0; round < 50; round += 1) {
    rmSync(file, { force: true });
    holdAs(process.ppid, 1);
    const answered = answers();
    for (const child of contenders) child.send('take');
    const said = await answered;
    const winners = contenders.filter(({ pid }) => said.includes(`took ${pid}`));
    expect(winners, `round ${round}: ${said.join(', ')}`).toHaveLength(1);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ pid: winners[0]?.pid });
  }
  for (const child of contenders) child.disconnect();
});

async function answerOf(child: ChildProcess): Promise<string> {
  const [answer] = (await once(child, 'message')) as [string];
  return answer;
}
