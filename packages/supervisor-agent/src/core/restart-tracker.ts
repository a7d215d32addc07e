/**
 * Counts the automatic restarts of one instance and says whether, and when, the next one may happen.
 * All times are monotonic milliseconds of this boot, so a tracker saved before a reboot is void.
 */
import { type Backoff, backoffDelayMs, DEFAULT_BACKOFF } from './backoff.ts';
import { describeDuration } from './duration.ts';

/** Plain data, saved with the instance, so that an agent's death refills no budget. */
export interface RestartTracker {
  /** When the automatic restarts of the current window happened, oldest first. */
  readonly restartsAtMs: readonly number[];
  /** Automatic restarts since the tracker was last cleared; it sets the backoff and outlives the window. */
  readonly streak: number;
}

export interface RestartPolicy {
  /** How many automatic restarts may happen within any `windowMs`. */
  readonly budget: number;
  readonly windowMs: number;
  /** Wait exactly this long before every restart, the first included; `null` = exponential backoff. */
  readonly constantDelayMs: number | null;
  readonly backoff: Backoff;
}

export type RestartDecision =
  | { readonly kind: 'restart'; readonly delayMs: number; readonly reason: string }
  | { readonly kind: 'spent'; readonly reason: string };

export const EMPTY_TRACKER: RestartTracker = { restartsAtMs: [], streak: 0 };

const DEFAULT_BUDGET = 10;
const MIN_WINDOW_MS = 10 * 60_000;

/**
 * The rules behind `max_restarts` and `restart_delay`. The window grows with a long constant delay: within a fixed
 * one of 10 min, restarts 150 s apart could never use up a budget of 5.
 */
export function restartPolicy(options: { maxRestarts?: number; restartDelayMs?: number } = {}): RestartPolicy {
  const budget = options.maxRestarts ?? DEFAULT_BUDGET;
  return {
    budget,
    windowMs: Math.max(MIN_WINDOW_MS, 2 * budget * (options.restartDelayMs ?? 0)),
    constantDelayMs: options.restartDelayMs ?? null,
    backoff: DEFAULT_BACKOFF,
  };
}

/** May it be restarted once more, and after what delay? Nothing is counted until `recordRestart`. */
export function decideRestart(
  tracker: RestartTracker,
  nowMs: number,
  policy: RestartPolicy,
  random: number,
): RestartDecision {
  const used = countRestarts(tracker, nowMs, policy);
  if (used >= policy.budget) return { kind: 'spent', reason: `restart budget spent, ${describeUse(used, policy)}` };
  const delayMs = policy.constantDelayMs ?? backoffDelayMs(tracker.streak, policy.backoff, random);
  const when = delayMs === 0 ? 'at once' : `next in ${describeDuration(delayMs)}`;
  return { kind: 'restart', delayMs, reason: `restart ${describeUse(used + 1, policy)}, ${when}` };
}

/** Counts a restart at the moment it happens: a delay that was cut short by a person costs nothing. */
export function recordRestart(tracker: RestartTracker, nowMs: number, policy: RestartPolicy): RestartTracker {
  return { restartsAtMs: [...inWindow(tracker, nowMs, policy), nowMs], streak: tracker.streak + 1 };
}

/** Automatic restarts within the window that ends now. */
export function countRestarts(tracker: RestartTracker, nowMs: number, policy: RestartPolicy): number {
  return inWindow(tracker, nowMs, policy).length;
}

/** Half the budget is used within its window: worth an alert before the budget is spent. */
export function isRestartLoop(tracker: RestartTracker, nowMs: number, policy: RestartPolicy): boolean {
  const used = countRestarts(tracker, nowMs, policy);
  return used > 0 && used * 2 >= policy.budget;
}

/** For people: `4 of 10 in 10 min`. */
export function describeUse(used: number, { budget, windowMs }: RestartPolicy): string {
  return `${used} of ${budget} in ${describeDuration(windowMs)}`;
}

export function isClear(tracker: RestartTracker): boolean {
  return tracker.streak === 0;
}

function inWindow(tracker: RestartTracker, nowMs: number, { windowMs }: RestartPolicy): readonly number[] {
  return tracker.restartsAtMs.filter((atMs) => atMs > nowMs - windowMs);
}
