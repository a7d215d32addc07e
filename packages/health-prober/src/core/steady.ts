/** May an agent's word on its keys be relied on? Only when it has said the same for several beats without a break. */
import { PRESENCE_LIMIT_MS } from '@muster/contracts';

/** What a beat says of whoever keeps the host's keys. */
export interface Keeper {
  readonly agentId: string;
  readonly epoch: number;
  readonly keysDigest: string;
}

export interface Steadiness {
  readonly keeper: Keeper;
  /** How many beats in a row have said so, on one connection of the observer. */
  readonly beats: number;
  readonly lastBeatMs: number;
  readonly connectedSinceMs: number;
}

/** Some eight seconds: longer than an agent takes to put its keys again after a reconnection. */
const STEADY_BEATS = 5;

/** One beat more. */
export function noteBeat(
  before: Steadiness | undefined,
  { agentId, epoch, keysDigest }: Keeper,
  nowMs: number,
  connectedSinceMs: number,
): Steadiness {
  const isSame =
    before !== undefined &&
    before.connectedSinceMs === connectedSinceMs &&
    nowMs - before.lastBeatMs <= PRESENCE_LIMIT_MS &&
    before.keeper.agentId === agentId &&
    before.keeper.epoch === epoch &&
    before.keeper.keysDigest === keysDigest;
  const beats = isSame ? before.beats + 1 : 1;
  return { keeper: { agentId, epoch, keysDigest }, beats, lastBeatMs: nowMs, connectedSinceMs };
}

export function isSteady({ beats }: Steadiness): boolean {
  return beats >= STEADY_BEATS;
}
