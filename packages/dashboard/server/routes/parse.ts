import type { z } from 'zod';
import { RequestError } from '../errors.ts';

/** What came from outside, judged once. @throws RequestError `bad-request` that names each bad field */
export function parseInput<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  );
  throw new RequestError('bad-request', `cannot read the ${where}: ${problems.join('; ')}`);
}
