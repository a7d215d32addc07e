import { setTimeout as delay } from 'node:timers/promises';

const DEFAULT_TIMEOUT_MS = 20_000;
const POLL_MS = 10;

/** What `eventually` waits for, and how long. */
export interface EventuallyOptions {
  readonly timeoutMs?: number;
  /** What was expected, for the error of a wait that ran out. */
  readonly message?: string;
}

/**
 * Waits until `check` returns something truthy and does not throw, and returns it.
 * @throws Error with the message and the last reason when the time is over.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = DEFAULT_TIMEOUT_MS, message = 'condition' }: EventuallyOptions = {},
): Promise<NonNullable<T>> {
  const deadlineMs = performance.now() + timeoutMs;
  let last: unknown;
  do {
    try {
      const value = await check();
      if (value) return value;
      last = `it was ${String(value)}`;
    } catch (error) {
      last = error;
    }
    await delay(POLL_MS);
  } while (performance.now() < deadlineMs);
  const reason = last instanceof Error ? last.message : String(last);
  throw new Error(`${message}: not so within ${timeoutMs} ms: ${reason}`, { cause: last });
}
