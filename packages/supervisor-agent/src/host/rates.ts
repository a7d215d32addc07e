/**
 * How much a counter grew between two looks. A counter that is smaller than before began anew (its device was replaced, the
 * kernel cleared it), so it grew by what it shows now; unless it is known to wrap at `wrapsAt` and was close to that.
 */
export function increase(before: number, now: number, wrapsAt?: number): number {
  if (now >= before) return now - before;
  const didWrap = wrapsAt !== undefined && before <= wrapsAt && before - now > wrapsAt / 2;
  return didWrap ? wrapsAt - before + now : now;
}

/** The increase per second over `elapsedMs`; 0 when no time has passed. */
export function perSecond(before: number, now: number, elapsedMs: number): number {
  return elapsedMs > 0 ? (increase(before, now) * 1_000) / elapsedMs : 0;
}

/** `part` of `whole`, within 0 and 1 whatever the rounding of the kernel; 0 when there is no whole. */
export function ratio(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
}
