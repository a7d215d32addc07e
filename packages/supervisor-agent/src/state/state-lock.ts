/**
 * One agent per state directory. The lock is a file that names its holder by pid, start time and boot id, so that a
 * holder that died, or a pid that was given to somebody else, holds nothing.
 */
import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readIfPresent } from '@muster/contracts/files';
import { z } from 'zod';
import { isAlive, readBootId, readStat } from '../drivers/process/proc.ts';

const Holder = z.object({ pid: z.int(), startTimeTicks: z.number(), bootId: z.string() });
type Holder = z.infer<typeof Holder>;

/** Another agent lives on this state directory. */
export class StateLockedError extends Error {
  readonly directory: string;
  readonly pid: number;

  constructor(directory: string, pid: number) {
    super(
      `cannot start a second agent on ${directory}: pid ${pid} is its agent; stop that one first, or give this one a directory of its own with MUSTER_STATE_DIR`,
    );
    this.name = 'StateLockedError';
    this.directory = directory;
    this.pid = pid;
  }
}

/** Takes the lock for the life of this process. @throws StateLockedError when its holder is alive. */
export function lockStateDirectory(directory: string): () => void {
  const file = path.join(directory, 'agent.lock');
  const stat = readStat(process.pid);
  if (stat === undefined) throw new Error(`cannot read /proc/${process.pid}/stat: is /proc mounted?`);
  const own: Holder = { pid: stat.pid, startTimeTicks: stat.startTimeTicks, bootId: readBootId() };
  const mine = `${file}.${process.pid}`;
  try {
    writeFileSync(mine, JSON.stringify(own), { mode: 0o600 });
    // A second round suffices: the first takes a dead holder's lock away, and whoever is faster in the second is alive.
    for (let round = 0; round < 2; round += 1) {
      try {
        linkSync(mine, file);
        return () => rmSync(file, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = readHolder(file);
      if (holds(holder, own.bootId)) throw new StateLockedError(directory, holder.pid);
      takeAway(file, own.bootId);
    }
    throw new StateLockedError(directory, readHolder(file)?.pid ?? 0);
  } finally {
    rmSync(mine, { force: true });
  }
}

function readHolder(file: string): Holder | undefined {
  try {
    return Holder.parse(JSON.parse(readIfPresent(file) ?? ''));
  } catch {
    // Torn or foreign text: nobody who is alive writes such a file.
    return undefined;
  }
}

function holds(holder: Holder | undefined, bootId: string): holder is Holder {
  return holder !== undefined && holder.bootId === bootId && isAlive(holder);
}

/** Another agent may have been faster since the holder was looked at: what was taken away is looked at, too. */
function takeAway(file: string, bootId: string): void {
  const taken = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, taken);
    if (holds(readHolder(taken), bootId)) linkSync(taken, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EEXIST') throw error;
  } finally {
    rmSync(taken, { force: true });
  }
}
