/**
 * Who judges. A lease is a KV entry that its holder writes again and again; an observer calls it lapsed when it has seen
 * no change for a while on its own monotonic clock, during which its own bus calls worked. No two clocks are compared.
 */

/** Without a change for this long, a lease is free. */
export const LEASE_LAPSE_MS = 10_000;
/** The holder lays it down this long before others may take it. */
const LEASE_MARGIN_MS = 2_000;
export const LEASE_RENEW_MS = 2_500;

/** What an observer knows of the entry. */
export interface Sighting {
  readonly holder: string;
  readonly revision: number;
  /** When this revision was first seen, or the observer was last unable to look. */
  readonly sinceMs: number;
}

/** A look at the entry; `isUnbroken` is false when an earlier look failed since the last one. */
export function sight(
  before: Sighting | undefined,
  seen: { readonly holder: string; readonly revision: number },
  nowMs: number,
  isUnbroken: boolean,
): Sighting {
  const isSame = before !== undefined && before.revision === seen.revision && isUnbroken;
  return { ...seen, sinceMs: isSame ? before.sinceMs : nowMs };
}

/** May `self` take it? Its own, from an earlier life, at once; `undefined` for who may not do so. */
export function isFree({ holder, sinceMs }: Sighting, self: string | undefined, nowMs: number): boolean {
  return holder === self || nowMs - sinceMs >= LEASE_LAPSE_MS;
}

/** May the holder still act on it? `renewedAtMs`: when the last renewal that succeeded was sent. */
export function isHeld(renewedAtMs: number, nowMs: number): boolean {
  return nowMs - renewedAtMs < LEASE_LAPSE_MS - LEASE_MARGIN_MS;
}
