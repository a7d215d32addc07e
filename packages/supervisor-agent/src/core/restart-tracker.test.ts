import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffBaseMs, backoffDelayMs, DEFAULT_BACKOFF } from './backoff.ts';
import { describeDuration } from './duration.ts';
import {
  decideRestart,
  describeUse,
  EMPTY_TRACKER,
  isRestartLoop,
  recordRestart,
  restartPolicy,
} from './restart-tracker.ts';

const seed = Number(process.env.MUSTER_TEST_SEED ?? Date.now() % 1_000_000_007);
console.log(`restart tracker properties: MUSTER_TEST_SEED=${seed}`);

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('backoff: at once, then 1 s doubled up to 60 s', () => {
  const bases = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1_000].map((restarts) => backoffBaseMs(restarts, DEFAULT_BACKOFF));
  expect(bases).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test('backoff is monotone in its base, and jitter stays within a quarter of it', () => {
  fc.assert(
    fc.property(fc.nat(5_000), random, (restarts, random) => {
      const baseMs = backoffBaseMs(restarts, DEFAULT_BACKOFF);
      const delayMs = backoffDelayMs(restarts, DEFAULT_BACKOFF, random);
      expect(backoffBaseMs(restarts + 1, DEFAULT_BACKOFF)).toBeGreaterThanOrEqual(baseMs);
      expect(delayMs).toBeGreaterThanOrEqual(baseMs * 0.75);
      expect(delayMs).toBeLessThanOrEqual(baseMs * 1.25);
    }),
    { seed },
  );
});

test('restarts that are judged before they are recorded never exceed the budget in any window', () => {
  const options = fc.record({
    maxRestarts: fc.nat(20),
    restartDelayMs: fc.option(fc.nat(120_000), { nil: undefined }),
  });
  fc.assert(
    fc.property(options, fc.array(fc.tuple(fc.nat(200_000), random)), ({ maxRestarts, restartDelayMs }, gaps) => {
      const policy = restartPolicy({ maxRestarts, ...(restartDelayMs !== undefined && { restartDelayMs }) });
      let tracker = EMPTY_TRACKER;
      let nowMs = 0;
      const restartsAtMs: number[] = [];
      for (const [gapMs, random] of gaps) {
        nowMs += gapMs;
        const decision = decideRestart(tracker, nowMs, policy, random);
        if (decision.kind === 'spent') continue;
        nowMs += decision.delayMs;
        tracker = recordRestart(tracker, nowMs, policy);
        restartsAtMs.push(nowMs);
      }
      restartsAtMs.forEach((atMs, index) => {
        const within = restartsAtMs.slice(0, index + 1).filter((other) => other > atMs - policy.windowMs);
        expect(within.length).toBeLessThanOrEqual(maxRestarts);
      });
      expect(tracker.restartsAtMs.length).toBeLessThanOrEqual(maxRestarts);
      expect(JSON.parse(JSON.stringify(tracker))).toEqual(tracker);
    }),
    { seed, numRuns: 500 },
  );
});

test.each([
  [{}, 10, 600_000],
  [{ maxRestarts: 3 }, 3, 600_000],
  [{ maxRestarts: 5, restartDelayMs: 60_000 }, 5, 600_000],
  [{ maxRestarts: 5, restartDelayMs: 120_000 }, 5, 1_200_000],
])('the window of %o', (options, budget, windowMs) => {
  expect(restartPolicy(options)).toMatchObject({ budget, windowMs });
});

test('restart_delay is constant, without jitter, for the first restart too', () => {
  const policy = restartPolicy({ maxRestarts: 5, restartDelayMs: 60_000 });
  for (const random of [0, 0.99]) {
    expect(decideRestart(EMPTY_TRACKER, 0, policy, random)).toMatchObject({ kind: 'restart', delayMs: 60_000 });
  }
});

test('a restart loop is half the budget within the window, and is over when the window has passed', () => {
  const policy = restartPolicy({ maxRestarts: 3 });
  const once = recordRestart(EMPTY_TRACKER, 1_000, policy);
  const twice = recordRestart(once, 2_000, policy);
  expect([EMPTY_TRACKER, once, twice].map((tracker) => isRestartLoop(tracker, 3_000, policy))).toEqual([
    false,
    false,
    true,
  ]);
  expect(isRestartLoop(twice, 601_000, policy)).toBe(false);
  expect(describeUse(2, policy)).toBe('2 of 3 in 10 min');
});

test.each([
  [0, '0 ms'],
  [420, '420 ms'],
  [2_130, '2.1 s'],
  [59_999, '60 s'],
  [600_000, '10 min'],
  [5_400_000, '1.5 h'],
])('%i ms reads %s', (durationMs, text) => {
  expect(describeDuration(durationMs)).toBe(text);
});
