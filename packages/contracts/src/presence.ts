/**
 * Who is heard: the one judgement of all who read heartbeats. It knows no clock: all times come in, as monotonic milliseconds
 * of the reader.
 */
import { comparePositions, type Position } from './envelope.ts';
import { PRESENCE_INTERVAL_MS, PRESENCE_LIMIT_MS, PRESENCE_MISSED_HEARTBEATS } from './messages/presence.ts';

/**
 * May a sender's word still be taken for now? Only `heard` confirms anything. `awaited`: the reader has not listened for long
 * enough to miss it. `blind`: the reader itself is away from the bus.
 */
export type PresenceState = 'heard' | 'awaited' | 'silent' | 'blind';

export interface PresenceJudgement {
  readonly state: PresenceState;
  /** How long it could have been heard and was not; 0 unless it is silent. */
  readonly silentForMs: number;
}

/** Of the reader. */
export interface Listening {
  /** Since when it hears without a break; `undefined`: it does not hear now. */
  readonly sinceMs: number | undefined;
  readonly nowMs: number;
}

/** How long a reader waits before it calls a sender silent. */
export interface Patience {
  readonly limitMs: number;
  /** After the reader's own connection, for senders that come back with it. */
  readonly graceMs: number;
}

export const READER_PATIENCE: Patience = { limitMs: PRESENCE_LIMIT_MS, graceMs: 0 };

/**
 * Who wakes people waits a little longer: three heartbeats are missed for certain, however they are jittered. Together it stays
 * below 12 s.
 */
export const ALERT_PATIENCE: Patience = {
  limitMs: PRESENCE_MISSED_HEARTBEATS * PRESENCE_INTERVAL_MS * 1.25,
  graceMs: 2_000,
};

/** Silence counts from the later of the last heartbeat and the reader's own connection: before that it would have heard nobody. */
export function judgePresence(
  heardAtMs: number | undefined,
  { sinceMs, nowMs }: Listening,
  { limitMs, graceMs }: Patience = READER_PATIENCE,
): PresenceJudgement {
  if (sinceMs === undefined) return { state: 'blind', silentForMs: 0 };
  if (heardAtMs !== undefined && nowMs - heardAtMs <= limitMs) return { state: 'heard', silentForMs: 0 };
  const silentForMs = nowMs - Math.max(heardAtMs ?? Number.NEGATIVE_INFINITY, sinceMs + graceMs);
  return silentForMs > limitMs ? { state: 'silent', silentForMs } : { state: 'awaited', silentForMs: 0 };
}

/** A reader looks at its clock this often. */
export const LOOK_EVERY_MS = 500;
/** A look that is late by more means that the reader slept. */
const OVERSLEPT_MS = 2_000;

/** A reader's last look at its clock, and since when it has looked without a break. */
export interface Wakefulness {
  readonly lookedAtMs: number;
  readonly awakeSinceMs: number;
}

/** One look more. Who slept has not read yet what was sent meanwhile, and listens from now on. */
export function look({ lookedAtMs, awakeSinceMs }: Wakefulness, nowMs: number): Wakefulness {
  const hasSlept = nowMs - lookedAtMs > LOOK_EVERY_MS + OVERSLEPT_MS;
  return { lookedAtMs: nowMs, awakeSinceMs: hasSlept ? nowMs : awakeSinceMs };
}

/** A sender's last heartbeat. */
export interface Heard<Heartbeat> {
  readonly heartbeat: Heartbeat;
  readonly heardAtMs: number;
  /** The newest of those that came since and stand before it, and how many they are. */
  readonly behind?: { readonly position: Position; readonly heartbeats: number };
}

/** So many heartbeats in a row, each newer than the one before, are a sender and no echo. */
const HEARTBEATS_OF_A_SENDER = 3;
/** Of whom nothing came for so long, two heartbeats are missed. */
const LAPSED_MS = PRESENCE_INTERVAL_MS * 2.25;

/**
 * One heartbeat more. They may overtake each other, and old ones may be told again; those confirm nothing new. But a position of
 * the far future, which anybody with the sender's key can say once, must not mute it for ever: when nothing behind it comes any
 * more, and a sender goes on before it, that is who is heard.
 */
export function hear<Heartbeat extends Position>(
  last: Heard<Heartbeat> | undefined,
  heartbeat: Heartbeat,
  nowMs: number,
): Heard<Heartbeat> {
  if (last !== undefined && comparePositions(heartbeat, last.heartbeat) <= 0) {
    const { behind } = last;
    if (behind !== undefined && comparePositions(heartbeat, behind.position) <= 0) return last;
    const heartbeats = (behind?.heartbeats ?? 0) + 1;
    if (heartbeats < HEARTBEATS_OF_A_SENDER || nowMs - last.heardAtMs <= LAPSED_MS) {
      return { ...last, behind: { position: heartbeat, heartbeats } };
    }
  }
  return { heartbeat, heardAtMs: nowMs };
}
