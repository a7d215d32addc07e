import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Who listens on a TCP port. */
export interface PortOwner {
  readonly pid: number;
  /** The kernel's name of the process, at most 15 characters. */
  readonly name: string;
}

/** The TCP sockets of this network namespace: IPv4, then IPv6 where there is any. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
/** `0A` in the fourth column of those tables. */
const LISTEN = '0A';

/** Does anybody listen on this TCP port, on any address? */
export function isPortTaken(port: number): boolean {
  return TABLES.some((file) => listeningSockets(readText(file), port).length > 0);
}

/**
 * Finds the process that listens on `port`, on any address. `undefined` when nobody does, or when its descriptors are
 * not ours to see. Looks at every process: only for explaining what went wrong.
 */
export function findPortOwner(port: number): PortOwner | undefined {
  const sockets = new Set(TABLES.flatMap((file) => listeningSockets(readText(file), port)));
  if (sockets.size === 0) return undefined;
  for (const entry of listOf('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const holds = listOf(`/proc/${entry}/fd`).some((fd) => sockets.has(linkOf(`/proc/${entry}/fd/${fd}`)));
    if (holds) return { pid: Number(entry), name: readText(`/proc/${entry}/comm`).trim() };
  }
  return undefined;
}

/** The listeners of one table, as the links that descriptors of them show: `socket:[4711]`. */
export function listeningSockets(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    return state === LISTEN && local?.endsWith(suffix) === true && inode !== undefined ? [`socket:[${inode}]`] : [];
  });
}

// A process can go away between any two reads: that is an answer, not an error.
function readText(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function listOf(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
