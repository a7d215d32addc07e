import { closeSync, constants, fchownSync, lchownSync, lstatSync, openSync, readdirSync } from 'node:fs';
import type { RunUser } from '../drivers/driver.ts';

/**
 * Gives a folder, with all that is in it, to a user. Safe also where that user, or the one before, can write: each folder is
 * held open while its entries are handed over, so none can be swapped for a link to somewhere else, and a file that has a
 * second name stays whose it is. A plain `chown -R` by paths would give away what such a link points to.
 *
 * @throws Error when the folder is a link, or is not there
 */
export function handOver(folder: string, { uid, gid }: RunUser): void {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const here = `/proc/self/fd/${descriptor}`;
    for (const name of readdirSync(here)) {
      const entry = `${here}/${name}`;
      const stat = lstatSync(entry, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      if (stat.isDirectory()) handOver(entry, { uid, gid });
      else if (stat.nlink === 1 && (stat.uid !== uid || stat.gid !== gid)) lchownSync(entry, uid, gid);
    }
    fchownSync(descriptor, uid, gid);
  } finally {
    closeSync(descriptor);
  }
}
