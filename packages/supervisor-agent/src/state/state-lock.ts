import path from 'node:path';
import { ProcessLock, takeProcessLock } from '@muster/contracts/process-lock';

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

/** One agent per state directory, for the life of this process. @throws StateLockedError when another one is alive */
export function lockStateDirectory(directory: string): () => void {
  const lock = takeProcessLock(path.join(directory, 'agent.lock'));
  if (lock instanceof ProcessLock) return () => lock.release();
  throw new StateLockedError(directory, lock.pid);
}
