import { constants } from 'node:os';
import type { Exit } from '../../core/exit.ts';
import type { ProcessIdentity } from './proc.ts';

/*
 * The record of one run: an append-only file of short records, written by the agent (`run`, `logs`), the shim (`shim`, `exit`)
 * and the starter (`ready`, `go`). A writer may be killed within a record, so each record is one write that begins
 * with a newline (a torn predecessor can't swallow it) and ends with ` .` (a torn `exit 13` of `exit 137 .` is no
 * record).
 */

/** What the record of one run says so far. */
export interface RunRecord {
  readonly bootId?: string;
  readonly generation?: number;
  readonly specHash?: string;
  readonly port?: number;
  /** Absent: of a run that writes its log files itself, as those of former versions do. */
  readonly logFiles?: LogFiles;
  readonly shim?: ProcessIdentity;
  /** The starter, which becomes the main process of the service: same pid, same start time. */
  readonly main?: ProcessIdentity;
  /** When the service was given its go, in milliseconds of CLOCK_MONOTONIC; absent: it never ran. */
  readonly startedAtMs?: number;
  /** The exit status as the shim's `$?`. */
  readonly exitStatus?: number;
}

interface LogFiles {
  readonly stdout: string;
  readonly stderr: string;
}

/** The first lines: written by the agent before it starts the shim. */
export function formatRunLines(run: {
  bootId: string;
  generation: number;
  port?: number;
  specHash: string;
  logFiles: LogFiles;
}): string {
  const { stdout, stderr } = run.logFiles;
  const line = `\nrun ${run.bootId} ${run.generation} ${run.port ?? 0} ${encodeURIComponent(run.specHash)} .\n`;
  return `${line}\nlogs ${encodeURIComponent(stdout)} ${encodeURIComponent(stderr)} .\n`;
}

/** Never throws: what is no whole record is skipped. */
export function parseRunRecord(text: string): RunRecord {
  let record: RunRecord = {};
  const lines = text.split('\n');
  // What follows the last newline is still being written, or never will be.
  for (const line of lines.slice(0, -1)) {
    const words = line.split(' ');
    if (words.at(-1) === '.') record = { ...record, ...parseLine(words.slice(0, -1)) };
  }
  return record;
}

/**
 * A shell reports a signal as 128 + its number, so a program that exits with such a code by itself is told as killed:
 * most that do so are shells which report just that.
 */
export function exitOf(status: number): Exit {
  const signal = Object.entries(constants.signals).find(([, number]) => number === status - 128);
  return signal === undefined ? { kind: 'code', code: status } : { kind: 'signal', signal: signal[0] };
}

function parseLine([kind = '', ...values]: string[]): RunRecord {
  const [first, second, third, fourth] = values;
  switch (kind) {
    case 'run':
      if (first === undefined || !isNumber(second) || !isNumber(third) || fourth === undefined) return {};
      return {
        bootId: first,
        generation: Number(second),
        ...(third === '0' ? {} : { port: Number(third) }),
        specHash: decode(fourth),
      };
    case 'logs':
      if (first === undefined || second === undefined) return {};
      return { logFiles: { stdout: decode(first), stderr: decode(second) } };
    case 'shim':
      return isNumber(first) && isNumber(second) ? { shim: identity(first, second) } : {};
    case 'ready':
      return isNumber(first) && isNumber(second) ? { main: identity(first, second) } : {};
    case 'go':
      return isNumber(first) ? { startedAtMs: Number(first) } : {};
    case 'exit':
      return isNumber(first) ? { exitStatus: Number(first) } : {};
    default:
      return {};
  }
}

function identity(pid: string, startTimeTicks: string): ProcessIdentity {
  return { pid: Number(pid), startTimeTicks: Number(startTimeTicks) };
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,15}$/.test(text);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
