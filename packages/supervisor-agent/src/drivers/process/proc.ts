import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { findTag, type RunTag, SHIM_TAG } from './tag.ts';

/** A process, told apart from later ones with the same pid (within one boot). */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`: clock ticks since boot. */
  readonly startTimeTicks: number;
}

export interface ProcessStat extends ProcessIdentity {
  readonly state: string;
  readonly threads: number;
  readonly parentId: number;
  readonly groupId: number;
  readonly sessionId: number;
}

/** Linux reports start times to user space in hundredths of a second, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100;
/** One for all: each read is over before the next begins. */
const STAT_BUFFER = Buffer.allocUnsafe(2 ** 12);
/** Holds most environments at once; longer ones are read in parts. */
export const ENVIRON_BYTES = 2 ** 16;

/** Reads one `/proc/<pid>/stat`; the name in parentheses may hold anything, also spaces and parentheses. */
export function parseStat(text: string): ProcessStat | undefined {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parentId, groupId, sessionId] = fields;
  const [threads, , startTime] = fields.slice(17);
  if (!state || groupId === undefined || sessionId === undefined || startTime === undefined) return undefined;
  return {
    pid: Number.parseInt(text, 10),
    state,
    threads: Number(threads),
    parentId: Number(parentId),
    groupId: Number(groupId),
    sessionId: Number(sessionId),
    startTimeTicks: Number(startTime),
  };
}

/** `undefined`: no such process. */
export function readStat(pid: number): ProcessStat | undefined {
  const text = readOrUndefined(`/proc/${pid}/stat`, STAT_BUFFER);
  return text === undefined ? undefined : parseStat(text);
}

/**
 * A zombie is dead: it runs nothing and holds nothing, it only waits for its parent. But a process whose first thread
 * has ended shows as a zombie too while its other threads go on.
 */
export function isDead({ state, threads }: ProcessStat): boolean {
  return state === 'X' || (state === 'Z' && threads <= 1);
}

export function isAlive({ pid, startTimeTicks }: ProcessIdentity): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.startTimeTicks === startTimeTicks && !isDead(stat);
}

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
  const environ = read(`/proc/${pid}/environ`, buffer);
  if (typeof environ === 'string') return findTag(environ);
  // Whatever else fails is a process that comes or goes.
  if (!isCode(environ, 'EACCES') || process.getuid?.() !== 0) return undefined;
  const parent = readOrUndefined(`/proc/${parentId}/environ`, buffer);
  return parent === undefined ? undefined : findTag(parent, SHIM_TAG);
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

export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Now, on the scale of `startTimeTicks`. */
export function nowTicks(): number {
  return Math.ceil(Number.parseFloat(readFileSync('/proc/uptime', 'utf8')) * TICKS_PER_SECOND);
}

/** True for a system error with this code. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

// A process can go away between any two reads: that is an answer, not an error.
function readOrUndefined(path: string, buffer: Buffer): string | undefined {
  const text = read(path, buffer);
  return typeof text === 'string' ? text : undefined;
}

/** The text, or why there is none. Half the cost of readFileSync, which counts where every process of a host is looked at. */
function read(path: string, buffer: Buffer): string | Error {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    let text = '';
    for (;;) {
      const length = readSync(fd, buffer);
      text += buffer.toString('latin1', 0, length);
      // A full buffer may not be all; less is all there is.
      if (length < buffer.length) return text;
    }
  } catch (error) {
    return error as Error;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
