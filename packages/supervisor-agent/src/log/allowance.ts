import type { LogSpec } from '@muster/contracts/config';

/** How many bytes may still be shipped. */
export interface Allowance {
  readonly bytes: number;
  /** Until when it has been reckoned. */
  readonly atMs: number;
}

/**
 * A token bucket, but of what is written rather than of what is sent: while lines wait (for the bus, mostly) it fills
 * without a limit, so that who keeps to the rate loses nothing however long the wait. Only once all is read it is
 * cut to `burstBytes`.
 */
export function refill(
  { bytes, atMs }: Allowance,
  { rateBytesPerSecond, burstBytes }: LogSpec,
  isAllRead: boolean,
  nowMs: number,
): Allowance {
  const grown = bytes + (Math.max(0, nowMs - atMs) / 1_000) * rateBytesPerSecond;
  return { bytes: isAllRead ? Math.min(grown, burstBytes) : grown, atMs: nowMs };
}
