import { setTimeout as delay } from 'node:timers/promises';

const DEFAULT_TIMEOUT_MS = 20_000;
const POLL_MS = 10;
/** So long after the end of the time a check that is under way may still say yes. */
const GRACE_MS = 5_000;

/** What `eventually` waits for, and how long. */
export interface EventuallyOptions {
  readonly timeoutMs?: number;
  /** What was expected, for the error of a wait that ran out. */
  readonly message?: string;
}

/**
 * Waits until `check` returns something truthy and does not throw, and returns it.
 * @throws Error with the message and the last reason when the time is over, also when `check` does not come back.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = DEFAULT_TIMEOUT_MS, message = 'condition' }: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const deadlineMs = performance.now() + timeoutMs;
  const over = new AbortController();
  const neverBack = delay(timeoutMs + GRACE_MS, undefined, { signal: over.signal }).then(() => {
    throw new Error('it did not come back');
  });
  // Whoever looks at it may have left.
  neverBack.catch(() => undefined);
  let last: unknown;
  try {
    for (let isOver = false; !isOver; ) {
      // It is looked at once more when the time is over: this process may itself not have run meanwhile.
      isOver = performance.now() >= deadlineMs;
      try {
        const value = await Promise.race([check(), neverBack]);
        if (value) return value;
        last = `it was ${String(value)}`;
      } catch (error) {
        last = error;
      }
      if (!isOver) await delay(POLL_MS);
    }
  } finally {
    over.abort();
  }
  const reason = last instanceof Error ? last.message : String(last);
  throw new Error(`${message}: not so within ${timeoutMs} ms: ${reason}`, { cause: last });
}
