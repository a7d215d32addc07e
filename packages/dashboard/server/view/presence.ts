import { PRESENCE_INTERVAL_MS, PRESENCE_MISSED_BEATS } from '@muster/contracts';
import type { Presence } from '../protocol/page.ts';
import type { Fleet } from './fleet.ts';

/** Beats are jittered by a quarter, so the last of the missed ones may be due that much later. */
export const SILENCE_MS = PRESENCE_INTERVAL_MS * (PRESENCE_MISSED_BEATS + 0.25);

/**
 * May a sender's word still be taken for now? Only `heard` confirms anything. Silence is counted from our own connection:
 * who has just come back can't know yet who is gone.
 */
export function presenceOf(bus: Fleet['bus'], heardAtMs: number | undefined, nowMs: number): Presence {
  if (!bus.isConnected) return 'blind';
  if (heardAtMs !== undefined && nowMs - heardAtMs <= SILENCE_MS) return 'heard';
  return nowMs - bus.sinceAtMs <= SILENCE_MS ? 'awaited' : 'silent';
}
