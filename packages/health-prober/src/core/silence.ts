/**
 * Which hosts are not heard. Silence is counted on the observer's own monotonic clock, and only while the observer could
 * have heard: from the later of the host's last heartbeat and the observer's own connection, which gets a grace for heartbeats that
 * are just due.
 */
import { PRESENCE_INTERVAL_MS, PRESENCE_MISSED_HEARTBEATS } from '@muster/contracts';

/** A heartbeat is jittered by up to a quarter of its interval, so this many are missed for certain after this time. */
const SILENT_AFTER_MS = PRESENCE_MISSED_HEARTBEATS * PRESENCE_INTERVAL_MS * 1.25;
/** After the observer's own connection; together with the above still below the promised 12 s. */
const GRACE_MS = 2_000;

export interface Listening {
  /** Since when the observer hears without a break; `undefined` = it does not hear now. */
  readonly sinceMs: number | undefined;
  readonly nowMs: number;
}

/** How long the host has been silent while it could have been heard, in ms; 0 = it is not gone. */
export function silentForMs(lastHeartbeatMs: number | undefined, { sinceMs, nowMs }: Listening): number {
  if (sinceMs === undefined) return 0;
  const countedFromMs = Math.max(lastHeartbeatMs ?? 0, sinceMs + GRACE_MS);
  const silentMs = nowMs - countedFromMs;
  return silentMs > SILENT_AFTER_MS ? silentMs : 0;
}
