import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import type { RunUser } from '../drivers/driver.ts';

const READ_AND_EXECUTE = 0o5;
const SEARCH = 0o1;

/**
 * May this user run the program? By mode bits alone: where access control lists give more, the answer is no all the same,
 * which costs a copy.
 */
export function isRunnableBy(program: string, user: RunUser): boolean {
  try {
    const file = realpathSync(program);
    if (!allows(file, user, READ_AND_EXECUTE)) return false;
    for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
      if (!allows(folder, user, SEARCH)) return false;
      if (folder === path.dirname(folder)) return true;
    }
  } catch {
    return false;
  }
}

/** `bits` as for others. */
function allows(file: string, { uid, gid }: RunUser, bits: number): boolean {
  const stat = statSync(file);
  if (uid === 0) return true;
  const shift = stat.uid === uid ? 6 : stat.gid === gid ? 3 : 0;
  return ((stat.mode >> shift) & bits) === bits;
}
