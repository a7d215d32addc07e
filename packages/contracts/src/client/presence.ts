import type { AgentPresence, DashboardPresence, ProberPresence } from '../messages/presence.ts';
import { PRESENCE_LIMIT_MS } from '../messages/presence.ts';

/** What every sender of beats says. */
interface Beat {
  readonly time: string;
}

/** A sender's last beat, when it was heard by our own monotonic clock, and how far its wall clock seems to be ahead. */
export interface HeardBeat<B> {
  readonly beat: B;
  readonly heardAtMs: number;
  readonly clockSkewMs: number;
}

/** What can be said about a sender of beats now. */
export interface Presence<B> {
  /** Its last beat, however old. */
  readonly beat?: B;
  /** Since that beat, by our own clock. */
  readonly ageMs?: number;
  /** Heard lately. If not, whatever is known of the sender is of the past. */
  readonly isHeard: boolean;
  /** How long it could have been heard and was not; `undefined` while we ourselves are away from the bus. */
  readonly silentForMs?: number;
  /** How far its wall clock is ahead of ours, for people: no decision hangs on it. Too low by the delay of its beats. */
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

/** A clock that seems to jump by more has been set; less is the network's delay. */
const CLOCK_STEP_MS = 1_000;
/** A fast beat counts for the next ones less by so much each: clocks drift. */
const SKEW_DECAY_MS = 1;

/** One beat more. Every beat underestimates the skew by its own delay, so the highest of the last ones is the best. */
export function hear<B extends Beat>(
  before: HeardBeat<B> | undefined,
  beat: B,
  { nowMs, wallMs }: { readonly nowMs: number; readonly wallMs: number },
): HeardBeat<B> {
  const seenMs = Date.parse(beat.time) - wallMs;
  const isStep = before === undefined || Math.abs(seenMs - before.clockSkewMs) > CLOCK_STEP_MS;
  const clockSkewMs = isStep ? seenMs : Math.max(seenMs, before.clockSkewMs - SKEW_DECAY_MS);
  return { beat, heardAtMs: nowMs, clockSkewMs };
}

/** `connectedSinceMs` as `Bus.connectedSinceMs`; all times are of one monotonic clock. */
export function presenceOf<B>(
  heard: HeardBeat<B> | undefined,
  connectedSinceMs: number | undefined,
  nowMs: number,
): Presence<B> {
  // Silence counts from our own connection: before it we would not have heard anybody.
  const silence =
    connectedSinceMs === undefined
      ? {}
      : { silentForMs: nowMs - Math.max(connectedSinceMs, heard?.heardAtMs ?? connectedSinceMs) };
  if (heard === undefined) return { isHeard: false, ...silence };
  const { beat, heardAtMs, clockSkewMs } = heard;
  const ageMs = nowMs - heardAtMs;
  return {
    beat,
    ageMs,
    isHeard: connectedSinceMs !== undefined && ageMs <= PRESENCE_LIMIT_MS,
    ...silence,
    clockSkewMs,
  };
}
