import { expect, test } from 'vitest';
import { ClockSkew } from './heartbeats.ts';

test.each([
  ['the heartbeat that was least late', [40, 3, 200], 90_000, 89_997],
  ['a clock behind ours', [3], -250, -253],
  ['heartbeats that were held up for seconds', [3, 6_000, 4_000, 2_000], 0, -3],
  ['a clock that was set back, after a while', [0, ...Array.from({ length: 8 }, () => 60_000)], 0, -60_000],
])('the skew is told by %s', (_what, delaysMs, aheadMs, skewMs) => {
  const skew = new ClockSkew();
  for (const delayMs of delaysMs) skew.note(aheadMs - delayMs);
  expect(skew.ms).toBe(skewMs);
});
