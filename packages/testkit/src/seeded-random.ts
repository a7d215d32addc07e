/** Random numbers that a failed run can be repeated with. */
export interface SeededRandom {
  readonly seed: number;
  /** At least 0, less than 1. */
  next(): number;
  /** A whole number, at least `min`, at most `max`. */
  integer(min: number, max: number): number;
  pick<T>(values: readonly T[]): T;
}

/** mulberry32: small, fast and the same everywhere. Print the seed, so that a failure can be repeated. */
export function seededRandom(seed: number = Math.floor(Math.random() * 2 ** 32)): SeededRandom {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  function integer(min: number, max: number): number {
    return min + Math.floor(next() * (max - min + 1));
  }
  return {
    seed,
    next,
    integer,
    pick: <T>(values: readonly T[]): T => {
      if (values.length === 0) throw new Error('cannot pick from an empty list');
      return values[integer(0, values.length - 1)] as T;
    },
  };
}
