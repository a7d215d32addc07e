/**
 * Which of several agents speaks for a host: two of them may have been given one host id by mistake, by a copied machine
 * or a copied creds file. Only the one that *holds* the host says anything on the bus, and only it answers the question
 * `claim`. So who asks and hears nothing may begin; who is answered waits, goes on supervising, and asks again.
 *
 * Two may come to hold it, when both begin within one way through the bus or while a cluster is parted. Therefore a holder
 * asks as well, now and then and right after it began; of two holders the one with the smaller number of its start goes on.
 * Nobody compares clocks for that: any order will do, and this one mostly spares whoever was there first.
 */

import type { Claimant } from '@muster/contracts';

/** Until the bus has been asked, and while it is away, nothing is said. Times are monotonic milliseconds. */
export type ClaimState =
  /** No connection. `rival`: who held the host when there was one; it gets the time to come back first. */
  | { readonly name: 'away'; readonly rival: Claimant | null }
  | { readonly name: 'asking' }
  | { readonly name: 'holding' }
  | { readonly name: 'waiting'; readonly rival: Claimant; readonly silentSinceMs: number };

export type ClaimEvent =
  | { readonly type: 'connected' }
  | { readonly type: 'disconnected' }
  /** The answer of another agent that holds the host. */
  | { readonly type: 'answered'; readonly rival: Claimant }
  | { readonly type: 'unanswered' }
  /** Another agent that holds the host has asked. */
  | { readonly type: 'asked-by-holder' };

export interface ClaimStep {
  readonly state: ClaimState;
  /** When to ask next, before jitter; `null` leaves it as it is. */
  readonly askInMs: number | null;
}

/** So long a holder must have been silent before another agent takes its place: a restart takes less. */
export const TAKE_OVER_AFTER_MS = 15_000;
const WAITING_ASKS_EVERY_MS = 2_500;
const HOLDER_ASKS_EVERY_MS = 15_000;

export const NOT_CONNECTED: ClaimState = { name: 'away', rival: null };

/** One decision. Late answers of a connection that is gone change nothing. */
export function stepClaim(state: ClaimState, event: ClaimEvent, self: Claimant, nowMs: number): ClaimStep {
  if (event.type === 'disconnected') {
    return { state: { name: 'away', rival: state.name === 'waiting' ? state.rival : null }, askInMs: null };
  }
  switch (state.name) {
    case 'away':
      if (event.type !== 'connected') return { state, askInMs: null };
      return state.rival === null ? { state: { name: 'asking' }, askInMs: 0 } : wait(state.rival, nowMs, 0);
    case 'asking':
      if (event.type === 'answered') return wait(event.rival, nowMs);
      return event.type === 'unanswered' ? HOLD : { state, askInMs: null };
    case 'waiting':
      if (event.type === 'answered') return wait(event.rival, nowMs);
      if (event.type !== 'unanswered') return { state, askInMs: null };
      return nowMs - state.silentSinceMs >= TAKE_OVER_AFTER_MS ? HOLD : { state, askInMs: WAITING_ASKS_EVERY_MS };
    case 'holding':
      if (event.type === 'answered' && precedes(event.rival, self)) return wait(event.rival, nowMs);
      return { state, askInMs: event.type === 'asked-by-holder' ? 0 : HOLDER_ASKS_EVERY_MS };
  }
}

/** It begins to hold, and asks at once whether it is the only one. */
const HOLD: ClaimStep = { state: { name: 'holding' }, askInMs: 0 };

function wait(rival: Claimant, nowMs: number, askInMs = WAITING_ASKS_EVERY_MS): ClaimStep {
  return { state: { name: 'waiting', rival, silentSinceMs: nowMs }, askInMs };
}

/** A total order, the same for all who ask. */
function precedes(a: Claimant, b: Claimant): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.claimant < b.claimant);
}
