import { PRESENCE_LIMIT_MS } from '@muster/contracts';
import type { Presence } from '../protocol/page.ts';
import type { Fleet } from './fleet.ts';

/**
 * May a sender's word still be taken for now? Only `heard` confirms anything. Silence is counted from our own connection:
 * who has just come back can't know yet who is gone.
 */
export function presenceOf(bus: Fleet['bus'], heardAtMs: number | undefined, nowMs: number): Presence {
  if (!bus.isConnected) return 'blind';
  if (heardAtMs !== undefined && nowMs - heardAtMs <= PRESENCE_LIMIT_MS) return 'heard';
  return nowMs - bus.sinceAtMs <= PRESENCE_LIMIT_MS ? 'awaited' : 'silent';
}
