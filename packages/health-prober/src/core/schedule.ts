/**
 * When each target is probed. A target's phase follows from its name, so targets spread over the interval, keep their
 * places whatever else comes and goes, and never drift: each time is computed from the phase, not from the last time.
 * Times are monotonic milliseconds.
 */
export interface Cadence {
  readonly intervalMs: number;
  /** While a failure is being confirmed. */
  readonly retryMs: number;
}

/** How many probes may be on their way at once. */
export interface Caps {
  readonly total: number;
  readonly perHost: number;
}

/** Where in each interval the target has its place; at least 0, below `intervalMs`. */
export function phaseMs(target: string, intervalMs: number): number {
  return fnv1a(target) % intervalMs;
}

/** The first of the target's places after `afterMs`. */
export function nextDueMs(target: string, intervalMs: number, afterMs: number): number {
  const phase = phaseMs(target, intervalMs);
  return phase + (Math.floor((afterMs - phase) / intervalMs) + 1) * intervalMs;
}

/** A target that has just appeared is first looked at within one retry interval, at a place of its own. */
export function firstDueMs(target: string, { retryMs }: Cadence, nowMs: number): number {
  return nextDueMs(target, retryMs, nowMs);
}

/** After a probe that ended at `nowMs`: soon again while a failure is soft, else at the target's next place. */
export function followingDueMs(target: string, cadence: Cadence, nowMs: number, isSoft: boolean): number {
  return isSoft ? nowMs + cadence.retryMs : nextDueMs(target, cadence.intervalMs, nowMs);
}

/** Too late to count for this place: the next one is nearer. */
export function isTooLate(dueMs: number, nowMs: number, intervalMs: number): boolean {
  return nowMs - dueMs > intervalMs / 2;
}

export function hasRoom(running: Caps, caps: Caps): boolean {
  return running.total < caps.total && running.perHost < caps.perHost;
}

/** FNV-1a, 32 bits: small, even, and the same everywhere. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
