import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isAlive, isDead, type ProcessIdentity, type ProcessStat, readProc, readStat } from '@muster/contracts/process';
import { findTag, type RunTag, SHIM_TAG } from './tag.ts';

export {
  isAlive,
  isDead,
  type ProcessIdentity,
  type ProcessStat,
  readBootId,
  readStat,
} from '@muster/contracts/process';

/** Linux reports start times to user space in hundredths of a second, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100;
/** Holds most environments at once; longer ones are read in parts. */
export const ENVIRON_BYTES = 2 ** 16;

/** Every process that is not dead. About 10 µs each. */
export function listProcesses(): ProcessStat[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const stat = readStat(Number(pid));
    return stat === undefined || isDead(stat) ? [] : [stat];
  });
}

/**
 * The tag a process was started with; `undefined` also where another user's environment is not ours to read. Root in a
 * container may not read it either (CAP_SYS_PTRACE), but the main process of a run is the child of a shim, which is root's.
 */
export function readTag({ pid, parentId }: ProcessStat, buffer: Buffer): RunTag | undefined {
  const environ = readProc(`/proc/${pid}/environ`, buffer);
  if (typeof environ === 'string') return findTag(environ);
  // Whatever else fails is a process that comes or goes.
  if (!isCode(environ, 'EACCES') || process.getuid?.() !== 0) return undefined;
  const parent = readProc(`/proc/${parentId}/environ`, buffer);
  return typeof parent === 'string' ? findTag(parent, SHIM_TAG) : undefined;
}

/** Does the process have this file open? */
export function hasOpen(pid: number, path: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === path);
  } catch {
    return false;
  }
}

/** Sends a signal if the process is still the one that was meant. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (isAlive(identity)) sendSignal(identity.pid, signal);
}

/** `target` as for kill(2): negative for a group. False: nobody is there to receive it, or it is not ours to send. */
export function sendSignal(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    // EPERM tells that somebody is there.
    return signal === 0 && isCode(error, 'EPERM');
  }
}

/** Now, on the scale of `startTimeTicks`. */
export function nowTicks(): number {
  return Math.ceil(Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * TICKS_PER_SECOND);
}

/** True for a system error with this code. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
