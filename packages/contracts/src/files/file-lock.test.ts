import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withFileLock } from './file-lock.ts';

/** More than any kernel gives out. */
const NO_PID = 2 ** 22 + 1;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'muster-file-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('of many who find the lock of a dead holder at once, one works at a time, and all do', async () => {
  const file = join(folder, 'keys.lock');
  let working = 0;
  let done = 0;
  const work = async () => {
    working += 1;
    expect(working).toBe(1);
    await delay(1);
    working -= 1;
    done += 1;
  };
  for (let round = 0; round < 30; round += 1) {
    writeFileSync(file, `${NO_PID} ${hostname()}\n`);
    await Promise.all(Array.from({ length: 6 }, () => withFileLock(file, work)));
    expect(readdirSync(folder), 'nothing is left').toEqual([]);
  }
  expect(done).toBe(6 * 30);
});
