/** Files of one JSON value a line, only ever appended to. */

import { readIfPresent } from '@muster/contracts/files';
import type { z } from 'zod';

export interface ReadLines<T> {
  readonly values: readonly T[];
  /** Lines that nobody can read: torn by a kill, of another version, or spoiled by somebody. */
  readonly unreadable: number;
}

/** What the file holds, oldest first; nothing when there is none. */
export function readLines<S extends z.ZodType>(file: string, schema: S): ReadLines<z.output<S>> {
  const values: z.output<S>[] = [];
  let unreadable = 0;
  for (const line of (readIfPresent(file) ?? '').split('\n')) {
    if (line === '') continue;
    try {
      values.push(schema.parse(JSON.parse(line)));
    } catch {
      unreadable += 1;
    }
  }
  return { values, unreadable };
}

/** The line break comes first: a line that a kill or a full disk tears then spoils nothing but itself. */
export function lineOf(value: unknown): string {
  return `\n${JSON.stringify(value)}`;
}
