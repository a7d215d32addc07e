/**
 * How many services a host restarts for their health when no prober can be asked: one at a time, 3 in 10 minutes.
 * Plain data in, plain data out; times are monotonic milliseconds.
 */
export interface LocalCap {
  /** Who is being recovered now, and since when. */
  readonly current: { readonly holder: string; readonly sinceMs: number } | null;
  readonly grantedAtMs: readonly number[];
}

export interface CapDecision {
  readonly cap: LocalCap;
  readonly isGranted: boolean;
  readonly reason: string;
}

export const EMPTY_CAP: LocalCap = { current: null, grantedAtMs: [] };

const MAX_GRANTS = 3;
const WINDOW_MS = 10 * 60_000;
/** A recovery that takes longer than this blocks nobody else any more. */
const SLOT_MS = 2 * 60_000;

/** May `holder` be restarted now? A granted slot counts at once. */
export function takeSlot(cap: LocalCap, holder: string, nowMs: number): CapDecision {
  const grantedAtMs = cap.grantedAtMs.filter((atMs) => atMs > nowMs - WINDOW_MS);
  const current = cap.current !== null && cap.current.sinceMs > nowMs - SLOT_MS ? cap.current : null;
  if (current !== null && current.holder !== holder) {
    return {
      cap: { current, grantedAtMs },
      isGranted: false,
      reason: `${current.holder} is being recovered, one at a time`,
    };
  }
  if (grantedAtMs.length >= MAX_GRANTS) {
    return {
      cap: { current, grantedAtMs },
      isGranted: false,
      reason: `this host has used its ${MAX_GRANTS} recoveries in 10 min`,
    };
  }
  return {
    cap: { current: { holder, sinceMs: nowMs }, grantedAtMs: [...grantedAtMs, nowMs] },
    isGranted: true,
    reason: `recovery ${grantedAtMs.length + 1} of ${MAX_GRANTS} in 10 min on this host`,
  };
}

/** `holder` serves again, or is down for good. */
export function releaseSlot(cap: LocalCap, holder: string): LocalCap {
  return cap.current?.holder === holder ? { ...cap, current: null } : cap;
}
