import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSteady, type Keeper, noteHeartbeat, type Steadiness } from './steady.ts';

const keeper: Keeper = { agentId: 'a', epoch: 1, keysDigest: 'x' };

interface Heartbeat {
  readonly keeper: Keeper;
  readonly afterMs: number;
  readonly connectedSinceMs: number;
}

function steadyAfter(heartbeats: readonly Heartbeat[]): boolean {
  let nowMs = 0;
  let steadiness: Steadiness | undefined;
  for (const heartbeat of heartbeats) {
    nowMs += heartbeat.afterMs;
    steadiness = noteHeartbeat(steadiness, heartbeat.keeper, nowMs, heartbeat.connectedSinceMs);
  }
  return steadiness !== undefined && isSteady(steadiness);
}

const steady = Array.from({ length: 5 }, (): Heartbeat => ({ keeper, afterMs: 2_000, connectedSinceMs: 0 }));

test('five heartbeats in a row that say the same are steady, four are not', () => {
  expect(steadyAfter(steady)).toBe(true);
  expect(steadyAfter(steady.slice(1))).toBe(false);
});

test.each<[string, Partial<Heartbeat>]>([
  ['other keys', { keeper: { ...keeper, keysDigest: 'y' } }],
  ['another start', { keeper: { ...keeper, epoch: 2 } }],
  ['another agent', { keeper: { ...keeper, agentId: 'b' } }],
  ['a silence', { afterMs: 7_000 }],
  ['a new connection of ours', { connectedSinceMs: 1 }],
])('%s among the last four heartbeats begins anew', (_what, change) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), (at) => {
      const heartbeats = [...steady, ...steady].map((heartbeat, index) =>
        index === 10 - at ? { ...heartbeat, ...change } : heartbeat,
      );
      expect(steadyAfter(heartbeats)).toBe(false);
    }),
  );
});
