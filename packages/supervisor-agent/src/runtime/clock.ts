import { monotonicNowMs } from '../drivers/process/proc.ts';

export { monotonicNowMs };

/** A monotonic time as RFC 3339 by this host's wall clock as it stands now: for display only. */
export function wallTimeOf(atMs: number): string {
  return new Date(Date.now() + (atMs - monotonicNowMs())).toISOString();
}
