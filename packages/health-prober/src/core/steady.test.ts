import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSteady, type Keeper, noteBeat, type Steadiness } from './steady.ts';

const keeper: Keeper = { agentId: 'a', epoch: 1, keysDigest: 'x' };

interface Beat {
  readonly keeper: Keeper;
  readonly afterMs: number;
  readonly connectedSinceMs: number;
}

function steadyAfter(beats: readonly Beat[]): boolean {
  let nowMs = 0;
  let steadiness: Steadiness | undefined;
  for (const beat of beats) {
    nowMs += beat.afterMs;
    steadiness = noteBeat(steadiness, beat.keeper, nowMs, beat.connectedSinceMs);
  }
  return steadiness !== undefined && isSteady(steadiness);
}

const steady = Array.from({ length: 5 }, (): Beat => ({ keeper, afterMs: 2_000, connectedSinceMs: 0 }));

test('five beats in a row that say the same are steady, four are not', () => {
  expect(steadyAfter(steady)).toBe(true);
  expect(steadyAfter(steady.slice(1))).toBe(false);
});

test.each<[string, Partial<Beat>]>([
  ['other keys', { keeper: { ...keeper, keysDigest: 'y' } }],
  ['another start', { keeper: { ...keeper, epoch: 2 } }],
  ['another agent', { keeper: { ...keeper, agentId: 'b' } }],
  ['a silence', { afterMs: 7_000 }],
  ['a new connection of ours', { connectedSinceMs: 1 }],
])('%s among the last four beats begins anew', (_what, change) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), (at) => {
      const beats = [...steady, ...steady].map((beat, index) => (index === 10 - at ? { ...beat, ...change } : beat));
      expect(steadyAfter(beats)).toBe(false);
    }),
  );
});
