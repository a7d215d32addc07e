import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { increase, perSecond, ratio } from './rates.ts';

const counter = fc.nat(2 ** 31 - 1);

test('a counter that only grows increases by the difference', () => {
  fc.assert(
    fc.property(counter, fc.nat(1_000_000), (before, grown) => {
      expect(increase(before, before + grown)).toBe(grown);
    }),
  );
});

test('an increase is never negative, and never more than the counter shows when it began anew', () => {
  fc.assert(
    fc.property(counter, counter, (before, now) => {
      const grown = increase(before, now);
      expect(grown).toBeGreaterThanOrEqual(0);
      expect(grown).toBeLessThanOrEqual(now);
    }),
  );
});

test('a counter that wraps goes on', () => {
  const wrapsAt = 2 ** 32;
  fc.assert(
    fc.property(fc.nat(wrapsAt - 1), fc.nat(1_000_000), (before, grown) => {
      expect(increase(before, (before + grown) % wrapsAt, wrapsAt)).toBe(grown);
    }),
  );
  expect(increase(5_000, 100, wrapsAt)).toBe(100);
});

test('rates are per second, and 0 when no time has passed', () => {
  expect(perSecond(100, 300, 2_000)).toBe(100);
  expect(perSecond(100, 300, 0)).toBe(0);
});

test('a ratio stays within 0 and 1', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), (part, whole) => {
      const value = ratio(part, whole);
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(1);
    }),
  );
});
