import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readBootId, readStat } from '@muster/contracts/process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockStateDirectory, StateLockedError } from './state-lock.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'muster-lock-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function holdAs(pid: number, startTimeTicks: number): void {
  writeFileSync(path.join(directory, 'agent.lock'), JSON.stringify({ pid, startTimeTicks, bootId: readBootId() }));
}

test('a second agent on one directory is refused, with what to do', () => {
  holdAs(process.ppid, readStat(process.ppid)?.startTimeTicks ?? 0);
  expect(() => lockStateDirectory(directory)).toThrow(StateLockedError);
  expect(() => lockStateDirectory(directory)).toThrow(`pid ${process.ppid} is its agent`);
});

test('a pid that belongs to somebody else by now holds nothing', () => {
  holdAs(process.ppid, 1);
  const unlock = lockStateDirectory(directory);
  unlock();
  expect(readdirSync(directory), 'nothing is left').toEqual([]);
});

test('a torn lock file holds nothing', () => {
  writeFileSync(path.join(directory, 'agent.lock'), '{"pid":');
  lockStateDirectory(directory)();
  expect(readdirSync(directory), 'nothing is left').toEqual([]);
});
