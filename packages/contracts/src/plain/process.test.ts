import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { isAlive, isDead, parseStat, readStat } from './process.js';

test('a name may hold spaces and parentheses', () => {
  const stat = parseStat(`12 (a) S (b) ) R 1 12 13 0 0 0 0 0 0 0 0 0 0 0 0 0 4 0 777 99 98\n`);
  expect(stat).toEqual({
    pid: 12,
    state: 'R',
    parentId: 1,
    groupId: 12,
    sessionId: 13,
    threads: 4,
    startTimeTicks: 777,
  });
});

test('what is no stat line is no process', () => {
  expect(parseStat('')).toBeUndefined();
  expect(parseStat('12 (sh) R 1')).toBeUndefined();
});

test('this process is alive, under its own start time only', () => {
  const self = readStat(process.pid);
  expect(self?.pid).toBe(process.pid);
  expect(isAlive({ pid: process.pid, startTimeTicks: self?.startTimeTicks ?? 0 })).toBe(true);
  expect(isAlive({ pid: process.pid, startTimeTicks: 1 })).toBe(false);
  expect(isAlive({ pid: spawnSync('true').pid, startTimeTicks: 1 })).toBe(false);
});

test.each([
  ['Z', 1, true],
  ['X', 1, true],
  ['Z', 2, false],
  ['S', 1, false],
])('state %s with %i threads: dead %s', (state, threads, dead) => {
  expect(isDead({ state, threads })).toBe(dead);
});
