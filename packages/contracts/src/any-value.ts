import { z } from 'zod';

const MAX_DEPTH = 32;
/** Of all values within one, itself included. */
const MAX_VALUES = 2_000;
const MAX_TEXT_CHARS = 16 * 1024;

/** Any value, in a field that says no more of it; nested at most 32 deep, and of at most 2,000 values. */
export const AnyValue = z
  .unknown()
  .refine((value) => isShallow(value, MAX_DEPTH), `must not be nested deeper than ${MAX_DEPTH}`)
  .refine((value) => countValues(value, MAX_DEPTH) <= MAX_VALUES, `must not have more than ${MAX_VALUES} values`);

/** A text that is too long counts for too many. What is nested deeper is not looked at: it is refused for that. */
function countValues(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length > MAX_TEXT_CHARS ? Number.POSITIVE_INFINITY : 1;
  if (typeof value !== 'object' || value === null || depth === 0) return 1;
  let count = 1;
  for (const inner of Object.values(value)) {
    count += countValues(inner, depth - 1);
    if (count > MAX_VALUES) return count;
  }
  return count;
}

/** Is it nested at most so deep? What walks a value from outside, such as JSON.stringify, runs out of stack on more. */
export function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isShallow(inner, depth - 1));
}
