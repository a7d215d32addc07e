import { expect, test } from 'vitest';
import { Freshness } from './freshness.ts';

test('a position is fresh for ten seconds after it was said, and only in this epoch', () => {
  const freshness = new Freshness(7);
  freshness.said(1, 1_000);
  freshness.said(2, 5_000);
  expect(freshness.isFresh({ epoch: 7, seq: 1 }, 10_999)).toBe(true);
  expect(freshness.isFresh({ epoch: 7, seq: 1 }, 11_000)).toBe(false);
  expect(freshness.isFresh({ epoch: 7, seq: 2 }, 11_000)).toBe(true);
  expect(freshness.isFresh({ epoch: 6, seq: 2 }, 5_001)).toBe(false);
  expect(freshness.isFresh({ epoch: 7, seq: 3 }, 5_001)).toBe(false);
});
