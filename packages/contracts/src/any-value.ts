import { z } from 'zod';

const MAX_DEPTH = 32;

/** Any value, in a field that says no more of it; nested at most 32 deep. */
export const AnyValue = z
  .unknown()
  .refine((value) => isShallow(value, MAX_DEPTH), `must not be nested deeper than ${MAX_DEPTH}`);

/** Is it nested at most so deep? What walks a value from outside, such as JSON.stringify, runs out of stack on more. */
export function isShallow(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isShallow(inner, depth - 1));
}
