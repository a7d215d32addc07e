import type { BusProblem } from './bus.ts';

const INTERVAL_MS = 10_000;

/**
 * One call for each kind of problem in ten seconds, with how many there were since the last one: a flood on the bus must
 * not become a flood of lines.
 */
export function limitProblems(
  write: (problem: BusProblem & { readonly count: number }) => void,
  nowMs: () => number = () => performance.now(),
): (problem: BusProblem) => void {
  const seen = new Map<BusProblem['kind'], { count: number; toldAtMs: number }>();
  return (problem) => {
    const { count, toldAtMs } = seen.get(problem.kind) ?? { count: 0, toldAtMs: Number.NEGATIVE_INFINITY };
    const isDue = nowMs() - toldAtMs >= INTERVAL_MS;
    seen.set(problem.kind, isDue ? { count: 0, toldAtMs: nowMs() } : { count: count + 1, toldAtMs });
    if (isDue) write({ ...problem, count: count + 1 });
  };
}
