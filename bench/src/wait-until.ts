import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** For the error: what did not come true. */
  readonly what: string;
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
  readonly pollMs?: number;
}

/** Asks again and again until the answer is truthy, and gives it back. @throws Error when the time is over, or the reason of `signal`. */
export async function waitUntil<T>(
  check: () => T | Promise<T>,
  { what, signal, timeoutMs = 60_000, pollMs = 5 }: WaitOptions,
): Promise<NonNullable<T>> {
  const deadlineMs = performance.now() + timeoutMs;
  for (;;) {
    const answer = await check();
    if (answer) return answer;
    if (performance.now() > deadlineMs) throw new Error(`${what}: not so within ${timeoutMs / 1_000} s`);
    await delay(pollMs, undefined, { signal });
  }
}

/** The promise, or an error that says what was waited for. */
export async function within<T>(promise: Promise<T>, { what, signal, timeoutMs = 60_000 }: WaitOptions): Promise<T> {
  const over = new AbortController();
  const late = delay(timeoutMs, undefined, { signal: AbortSignal.any([signal, over.signal]) }).then(() => {
    throw new Error(`${what}: not so within ${timeoutMs / 1_000} s`);
  });
  // Whoever loses the race must not be reported as unhandled.
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
  }
}
