import { expect, test } from 'vitest';
import { limitProblems, type ToldProblem } from './limit-problems.ts';
import type { BusProblem } from './types.ts';

const problem = (kind: BusProblem['kind'], reason = 'x'): BusProblem => ({ kind, reason });

test('the first of each kind is told, then one every 10 s with how many were not', () => {
  const told: ToldProblem[] = [];
  let nowMs = 0;
  const onProblem = limitProblems(
    (one) => told.push(one),
    () => nowMs,
  );
  for (let i = 0; i < 1_000; i++) onProblem(problem('malformed'));
  onProblem(problem('permission'));
  expect(told).toEqual([
    { ...problem('malformed'), untold: 0 },
    { ...problem('permission'), untold: 0 },
  ]);
  nowMs = 10_000;
  onProblem(problem('malformed', 'later'));
  expect(told.at(-1)).toEqual({ ...problem('malformed', 'later'), untold: 999 });
  onProblem(problem('malformed'));
  expect(told).toHaveLength(3);
});
