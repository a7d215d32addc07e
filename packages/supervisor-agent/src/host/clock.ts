/** Milliseconds of CLOCK_MONOTONIC: counts from boot, so it means the same to the next agent. */
export function monotonicNowMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

/** A monotonic time as RFC 3339 by this host's wall clock as it stands now: for display only. */
export function wallTimeOf(atMs: number): string {
  return new Date(Date.now() + (atMs - monotonicNowMs())).toISOString();
}
