import { judgePresence } from '@muster/contracts';
import type { Presence } from '../protocol/page.ts';
import type { Fleet } from './fleet.ts';

/** May a sender's word still be taken for now? Only `heard` confirms anything. */
export function presenceOf(
  { bus, awakeSinceMs }: Pick<Fleet, 'bus' | 'awakeSinceMs'>,
  heardAtMs: number | undefined,
  nowMs: number,
): Presence {
  const sinceMs = bus.isConnected ? Math.max(bus.sinceAtMs, awakeSinceMs) : undefined;
  return judgePresence(heardAtMs, { sinceMs, nowMs }).state;
}
