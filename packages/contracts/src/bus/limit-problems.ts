import type { BusProblem } from './types.ts';

const EVERY_MS = 10_000;

/** A problem that is told, with how many of its kind were not told since the last one. */
export interface ToldProblem extends BusProblem {
  readonly untold: number;
}

/**
 * For `onProblem`: tells the first problem of each kind, then at most one every 10 s. Whoever sends garbage must not fill
 * a log, nor have a program wait for it.
 */
export function limitProblems(
  tell: (problem: ToldProblem) => void,
  nowMs: () => number = () => performance.now(),
): (problem: BusProblem) => void {
  const kinds = new Map<BusProblem['kind'], { toldAtMs: number; untold: number }>();
  return (problem) => {
    const known = kinds.get(problem.kind);
    if (known !== undefined && nowMs() - known.toldAtMs < EVERY_MS) {
      known.untold += 1;
      return;
    }
    kinds.set(problem.kind, { toldAtMs: nowMs(), untold: 0 });
    tell({ ...problem, untold: known?.untold ?? 0 });
  };
}
