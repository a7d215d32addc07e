import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { isAlive, isDead, parseStat, readStat } from './proc.ts';
import { findTag, formatTag, parseTag } from './tag.ts';

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
  expect(isDead({ pid: 1, state, threads, parentId: 1, groupId: 1, sessionId: 1, startTimeTicks: 1 })).toBe(dead);
});

test('tags', () => {
  const tag = { agentId: 'a1', service: 'api', instance: 0, generation: 12 };
  expect(parseTag(formatTag(tag))).toEqual(tag);
  expect(findTag('MUSTER_RUN=a1/api/0/12')).toEqual(tag);
  expect(findTag('A=1\0MUSTER_RUN=a1/api/0/12\0B=2\0')).toEqual(tag);
  expect(findTag('A=MUSTER_RUN=a1/api/0/12\0NOT_MUSTER_RUN=a1/api/0/12\0')).toBeUndefined();
  for (const text of ['', 'a/b', 'a/b/c/d', 'a/b/0/1/2', '/b/0/1', 'a/b/-1/1']) expect(parseTag(text)).toBeUndefined();
});
