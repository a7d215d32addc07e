export interface Backoff {
  /** Delay before the second restart; each further one doubles it. The first restart waits for nothing. */
  readonly baseMs: number;
  /** The doubling ends here. */
  readonly capMs: number;
  /** A delay is spread over ± this share of itself, so that what crashed together does not start together. */
  readonly jitterRatio: number;
}

export const DEFAULT_BACKOFF: Backoff = { baseMs: 1_000, capMs: 60_000, jitterRatio: 0.25 };

/** The delay before jitter, after `restartsSoFar` restarts in a row: 0, base, 2 × base, 4 × base … cap. */
export function backoffBaseMs(restartsSoFar: number, { baseMs, capMs }: Backoff): number {
  return restartsSoFar === 0 ? 0 : Math.min(capMs, baseMs * 2 ** (restartsSoFar - 1));
}

/** @param random uniform in [0, 1) */
export function backoffDelayMs(restartsSoFar: number, backoff: Backoff, random: number): number {
  return Math.round(backoffBaseMs(restartsSoFar, backoff) * (1 + backoff.jitterRatio * (2 * random - 1)));
}
