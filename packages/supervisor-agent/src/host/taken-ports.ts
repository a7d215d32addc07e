/** Ports that Muster's own services need and somebody else holds: told before anything is started. */
import { readFileSync } from 'node:fs';
import type { Listen } from '@muster/contracts';
import { ENVIRON_BYTES, listProcesses, readTag } from '../drivers/process/proc.ts';
import { findHolder, type Listener, listenersOn } from './listeners.ts';

const EVERY_ADDRESS = new Set(['0.0.0.0', '::']);
const MAX_COMMAND_LENGTH = 120;

export interface NeededPort {
  readonly purpose: string;
  readonly listen: Listen;
  /** Where another port can be set. */
  readonly setting: string;
}

/**
 * A line for each port that is taken: by whom, and what to do. None while a run of this agent is alive: what it left running holds
 * its ports, and is adopted.
 */
export function describeTakenPorts(needed: readonly NeededPort[], agentId: string): string[] {
  const taken = needed.flatMap((port) => {
    const listener = findConflict(port.listen, listenersOn(port.listen.port));
    return listener === undefined ? [] : [{ ...port, listener }];
  });
  if (taken.length === 0 || hasRuns(agentId)) return [];
  return taken.map(
    ({ purpose, listen, setting, listener }) =>
      `port ${listen.port} for ${purpose} is taken by ${describeHolder(listener)}: stop it, or set \`${setting}\``,
  );
}

/** The listener that makes binding impossible, of those on the same port. */
export function findConflict({ host }: Listen, listeners: readonly Listener[]): Listener | undefined {
  const wanted = host === 'localhost' ? '127.0.0.1' : host;
  return listeners.find(({ address }) => address === wanted || EVERY_ADDRESS.has(address) || EVERY_ADDRESS.has(wanted));
}

function hasRuns(agentId: string): boolean {
  const buffer = Buffer.allocUnsafe(ENVIRON_BYTES);
  return listProcesses().some((stat) => readTag(stat, buffer)?.agentId === agentId);
}

function describeHolder(listener: Listener): string {
  const pid = findHolder([listener]);
  if (pid !== undefined) return `pid ${pid} (${describeCommand(pid).slice(0, MAX_COMMAND_LENGTH)})`;
  return listener.uid === process.getuid?.()
    ? 'a process outside this container'
    : `a process of user id ${listener.uid}`;
}

/** The command line, or the short name of a process that has none. */
function describeCommand(pid: number): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
    return words.length > 0 ? words.join(' ') : readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'gone meanwhile';
  }
}
