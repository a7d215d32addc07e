import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { printable, STATUS_FILE_NAME, StatusFile } from '@muster/contracts';
import type { Settings } from '../config.ts';
import { CliError } from '../exit-codes.ts';
import { formatSpan } from '../render/time.ts';
import type { Terminal } from '../terminal.ts';
import type { FleetReading } from './reading.ts';

/** An agent writes its file at every change and at least this often; an older file says nothing about now. */
const FRESH_MS = 30_000;

/**
 * The answer of this host's own agent when `error` says that the bus is away, with a word on stderr about whose it is.
 * @throws what it was given when that is something else, or when there is no such file
 */
export async function fromOwnFile<T>(
  error: unknown,
  { stateDir }: Settings,
  terminal: Terminal,
  read: (file: StatusFile) => T,
): Promise<T> {
  if (!(error instanceof CliError) || error.exit !== 'busUnreachable') throw error;
  const file = await readStatusFile(stateDir);
  if (file === undefined) throw error;
  terminal.note(`muster: the bus is away; this host's own file says, as of ${formatSpan(ageMs(file))} ago:`);
  terminal.note(`muster: (${error.message})`);
  if (file.bus.reason !== undefined) terminal.note(`muster: its agent says: ${printable(file.bus.reason)}`);
  return read(file);
}

/** The status file as a fleet of one host. */
export function fleetOf(file: StatusFile): FleetReading {
  const isAlive = isFresh(file);
  return {
    source: 'file',
    asOf: file.writtenAt,
    hosts: [
      {
        host: file.host,
        isAlive,
        instances: file.instances.length,
        ...(!isAlive && {
          problem: `its agent has not written its status file for ${formatSpan(ageMs(file))}`,
          lastHeardAt: file.writtenAt,
        }),
      },
    ],
    instances: file.instances.map((status) => ({ status, isAlive })),
  };
}

/** The file and its reader share one clock, so its age means what it says. */
function isFresh(file: StatusFile): boolean {
  return ageMs(file) <= FRESH_MS;
}

function ageMs({ writtenAt }: StatusFile): number {
  return Math.max(0, Date.now() - Date.parse(writtenAt));
}

/** What the agent of this machine says; `undefined` when there is no such file, or none that can be read. */
async function readStatusFile(stateDir: string): Promise<StatusFile | undefined> {
  try {
    const parsed = StatusFile.safeParse(JSON.parse(await readFile(join(stateDir, STATUS_FILE_NAME), 'utf8')));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
