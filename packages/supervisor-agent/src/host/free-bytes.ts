import { statfsSync } from 'node:fs';

/** What the disk of a directory still takes; `undefined` when there is no such directory, or its file system does not say. */
export function freeBytes(directory: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
