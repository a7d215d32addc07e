import type { AgentPresence, DashboardPresence, ProberPresence } from '../messages/presence.ts';
import { PRESENCE_LIMIT_MS } from '../messages/presence.ts';

/** What every sender of heartbeats says. */
interface Heartbeat {
  readonly time: string;
}

/** A sender's last heartbeat, and when it was heard by our own monotonic clock. */
export interface HeardHeartbeat<B> {
  readonly heartbeat: B;
  readonly heardAtMs: number;
  /** How far its wall clock seemed to be ahead of ours at each of the last heartbeats, the newest last. */
  readonly skewsMs: readonly number[];
}

/** What can be said about a sender of heartbeats now. */
export interface Presence<B> {
  /** Its last heartbeat, however old. */
  readonly heartbeat?: B;
  /** Since that heartbeat, by our own clock. */
  readonly ageMs?: number;
  /** Heard lately. If not, whatever is known of the sender is of the past. */
  readonly isAlive: boolean;
  /** How long it could have been heard and was not; `undefined` while we ourselves are away from the bus. */
  readonly silentForMs?: number;
  /** How far its wall clock is ahead of ours, for people: no decision hangs on it. Too low by the delay of its heartbeats. */
  readonly clockSkewMs?: number;
}

export interface HostPresence extends Presence<AgentPresence> {
  readonly host: string;
}

export interface ProberStanding extends Presence<ProberPresence> {
  readonly prober: string;
}

export interface DashboardStanding extends Presence<DashboardPresence> {
  readonly dashboard: string;
}

/** So many heartbeats tell of the sender's clock: some were not delayed, and a clock that is set back shows after as many. */
const SKEW_HEARTBEATS = 8;

/** One heartbeat more. */
export function hear<B extends Heartbeat>(
  before: HeardHeartbeat<B> | undefined,
  heartbeat: B,
  { nowMs, wallMs }: { readonly nowMs: number; readonly wallMs: number },
): HeardHeartbeat<B> {
  const skewsMs = [...(before?.skewsMs ?? []), Date.parse(heartbeat.time) - wallMs].slice(-SKEW_HEARTBEATS);
  return { heartbeat, heardAtMs: nowMs, skewsMs };
}

/** `connectedSinceMs` as `Bus.connectedSinceMs`; all times are of one monotonic clock. */
export function presenceOf<B>(
  heard: HeardHeartbeat<B> | undefined,
  connectedSinceMs: number | undefined,
  nowMs: number,
): Presence<B> {
  // Silence counts from our own connection: before it we would not have heard anybody.
  const silence =
    connectedSinceMs === undefined
      ? {}
      : { silentForMs: nowMs - Math.max(connectedSinceMs, heard?.heardAtMs ?? connectedSinceMs) };
  if (heard === undefined) return { isAlive: false, ...silence };
  const { heartbeat, heardAtMs, skewsMs } = heard;
  const ageMs = nowMs - heardAtMs;
  // A heartbeat that was late makes the clock look as far behind: the least late of them is the best.
  const clockSkewMs = Math.max(...skewsMs);
  return {
    heartbeat,
    ageMs,
    isAlive: connectedSinceMs !== undefined && ageMs <= PRESENCE_LIMIT_MS,
    ...silence,
    clockSkewMs,
  };
}
