/** May an agent's word on its keys be relied on? Only when it has said the same for several heartbeats without a break. */
import { PRESENCE_LIMIT_MS } from '@muster/contracts';

/** What a heartbeat says of whoever keeps the host's keys. */
export interface Keeper {
  readonly agentId: string;
  readonly epoch: number;
  readonly keysDigest: string;
}

export interface Steadiness {
  readonly keeper: Keeper;
  /** How many heartbeats in a row have said so, on one connection of the observer. */
  readonly heartbeats: number;
  readonly lastHeartbeatMs: number;
  readonly connectedSinceMs: number;
}

/** Some eight seconds: longer than an agent takes to put its keys again after a reconnection. */
const STEADY_HEARTBEATS = 5;

/** One heartbeat more. */
export function noteHeartbeat(
  before: Steadiness | undefined,
  { agentId, epoch, keysDigest }: Keeper,
  nowMs: number,
  connectedSinceMs: number,
): Steadiness {
  const isSame =
    before !== undefined &&
    before.connectedSinceMs === connectedSinceMs &&
    nowMs - before.lastHeartbeatMs <= PRESENCE_LIMIT_MS &&
    before.keeper.agentId === agentId &&
    before.keeper.epoch === epoch &&
    before.keeper.keysDigest === keysDigest;
  const heartbeats = isSame ? before.heartbeats + 1 : 1;
  return { keeper: { agentId, epoch, keysDigest }, heartbeats, lastHeartbeatMs: nowMs, connectedSinceMs };
}

export function isSteady({ heartbeats }: Steadiness): boolean {
  return heartbeats >= STEADY_HEARTBEATS;
}
