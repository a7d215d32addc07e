/** What /proc says of processes that are not ours to ask. */
import { readdirSync, readFileSync } from 'node:fs';
import { isAlive, killIfAlive } from '@muster/testkit';
import { waitUntil } from './wait-until.ts';

export interface Memory {
  readonly rssBytes: number;
  /** Shared pages counted once over all who share them. */
  readonly pssBytes: number;
  /** What belongs to no file: heap and stacks. */
  readonly anonymousBytes: number;
}

/** @throws Error when there is no such process. */
export function readMemory(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? 0) * 1024;
  return { rssBytes: bytes('Rss'), pssBytes: bytes('Pss'), anonymousBytes: bytes('Anonymous') };
}

/** Linux counts CPU time for everybody in these. */
const MS_PER_TICK = 10;

/** User and system time so far, to 10 ms. @throws Error when there is no such process. */
export function readCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may itself hold brackets and spaces: the fields begin behind the last one.
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number);
  return (user + system) * MS_PER_TICK;
}

export function countDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** All processes whose command line or environment contains `text`. */
export function findProcesses(text: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid && mentions(pid, text));
}

function mentions(pid: number, text: string): boolean {
  return ['cmdline', 'environ'].some((file) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(text);
    } catch {
      // Gone, or not ours to read.
      return false;
    }
  });
}

/** SIGKILL to all that mention `text`, again until none is left. `text` must be a path or an id of this run only. */
export async function killAllMentioning(text: string): Promise<void> {
  await waitUntil(
    () => {
      const left = findProcesses(text).filter(isAlive);
      for (const pid of left) killIfAlive(pid);
      return left.length === 0;
    },
    { what: `the end of everything that mentions '${text}'`, signal: new AbortController().signal, pollMs: 50 },
  );
}

/** The environment that every peer gets: no settings of the caller's own. */
export function bareEnvironment(): Record<string, string> {
  const { PATH = '/usr/bin:/bin', HOME = '/' } = process.env;
  return { PATH, HOME, LANG: 'C.UTF-8' };
}
