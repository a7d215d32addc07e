import type { AgentPresence } from '../messages/presence.ts';
import { PRESENCE_INTERVAL_MS, PRESENCE_MISSED_BEATS } from '../messages/presence.ts';

/** A host that has not been heard for so long is unknown. */
export const PRESENCE_LIMIT_MS = PRESENCE_INTERVAL_MS * PRESENCE_MISSED_BEATS;

/** A host's last beat, and when it was heard by our own monotonic clock. */
export interface HeardBeat {
  readonly beat: AgentPresence;
  readonly heardAtMs: number;
}

/** What can be said about a host's agent now. */
export interface HostPresence {
  readonly host: string;
  /** Its last beat, however old. */
  readonly beat?: AgentPresence;
  /** Since that beat, by our own clock. */
  readonly ageMs?: number;
  /** Heard lately. If not, whatever is known of the host is of the past. */
  readonly isHeard: boolean;
  /** How long it could have been heard and was not; `undefined` while we ourselves are away from the bus. */
  readonly silentForMs?: number;
}

/** `connectedSinceMs` as `Bus.connectedSinceMs`; all times are of one monotonic clock. */
export function presenceOf(
  host: string,
  heard: HeardBeat | undefined,
  connectedSinceMs: number | undefined,
  nowMs: number,
): HostPresence {
  // Silence counts from our own connection: before it we would not have heard anybody.
  const silence =
    connectedSinceMs === undefined
      ? {}
      : { silentForMs: nowMs - Math.max(connectedSinceMs, heard?.heardAtMs ?? connectedSinceMs) };
  if (heard === undefined) return { host, isHeard: false, ...silence };
  const ageMs = nowMs - heard.heardAtMs;
  const isHeard = connectedSinceMs !== undefined && ageMs <= PRESENCE_LIMIT_MS;
  return { host, beat: heard.beat, ageMs, isHeard, ...silence };
}
