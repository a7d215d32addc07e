/*
 * One writer at a time for files that are read, changed and written again, across processes.
 *
 * The lock is a file that names its holder. One whose holder is gone, or that is older than any such work takes, holds nothing:
 * a pid may be somebody else's by now, and a holder on another machine cannot be seen.
 */
import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const TRY_AGAIN_MS = 20;
/** What is done under a lock takes milliseconds, and in a large fleet seconds. */
const STALE_AFTER_MS = 120_000;

/** Waits for the lock, which a holder that died does not keep. `file` is made for the time of the work. */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const mine = `${file}.${randomUUID()}`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(mine, `${process.pid} ${hostname()}\n`, { mode: 0o600, flag: 'wx' });
  try {
    while (!(await takes(mine, file))) {
      if (await isStale(file)) await withFileLock(`${file}.after`, () => removeStale(file));
      else await delay(TRY_AGAIN_MS);
    }
    try {
      return await work();
    } finally {
      await rm(file, { force: true });
    }
  } finally {
    await rm(mine, { force: true });
  }
}

async function takes(mine: string, file: string): Promise<boolean> {
  const now = new Date();
  try {
    await utimes(mine, now, now);
    await link(mine, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function isStale(file: string): Promise<boolean> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    const [pid = '', host] = text.trim().split(' ');
    if (Date.now() - mtimeMs > STALE_AFTER_MS) return true;
    return host === hostname() && !isAlive(Number(pid));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Under the right to do so: of all who find it stale one after the other looks again, and nobody removes a lock that is new. */
async function removeStale(file: string): Promise<void> {
  if (await isStale(file)) await rm(file, { force: true });
}
