import type { CommandResult } from './fleet-commands.ts';

/** What one question to an agent tells beside its answer. */
export interface Measured {
  readonly result: CommandResult<'status'>;
  /** Through the bus to the agent and back; absent without an answer. */
  readonly roundTripMs?: number;
  /**
   * How far the agent's wall clock is ahead of ours, give or take half of the round trip. For people: no decision hangs on
   * it.
   */
  readonly clockSkewMs?: number;
}

/** Asks, and takes the agent's own time for that of the middle of the way. */
export async function measure(ask: () => Promise<CommandResult<'status'>>): Promise<Measured> {
  const askedAtMs = performance.now();
  const askedWallMs = Date.now();
  const result = await ask();
  const roundTripMs = performance.now() - askedAtMs;
  if (result.outcome !== 'accepted') return { result };
  return { result, roundTripMs, clockSkewMs: Date.parse(result.reply.time) - (askedWallMs + roundTripMs / 2) };
}
