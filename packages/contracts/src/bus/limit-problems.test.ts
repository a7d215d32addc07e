import { expect, test } from 'vitest';
import type { BusProblem } from './bus.ts';
import { limitProblems } from './limit-problems.ts';

test('each kind is told at once, then at most every ten seconds with how many there were', () => {
  let nowMs = 0;
  const told: [string, number][] = [];
  const limited = limitProblems(
    ({ kind, count }) => told.push([kind, count]),
    () => nowMs,
  );
  const forged: BusProblem = { kind: 'forged', reason: 'it is not signed' };
  for (let i = 0; i < 1_000; i++) limited(forged);
  limited({ kind: 'malformed', reason: 'not JSON' });
  nowMs = 10_000;
  limited(forged);
  expect(told).toEqual([
    ['forged', 1],
    ['malformed', 1],
    ['forged', 1_000],
  ]);
});
