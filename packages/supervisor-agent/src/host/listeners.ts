import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Who listens on a TCP port. */
export interface PortOwner {
  readonly pid: number;
  /** The kernel's name of the process, at most 15 characters. */
  readonly name: string;
}

/** A socket that listens. */
export interface Listener {
  /** As text; `::` and `0.0.0.0` for every address. */
  readonly address: string;
  /** Whose it is. */
  readonly uid: number;
  /** The link that a descriptor of it shows: `socket:[4711]`. */
  readonly link: string;
}

/** The TCP sockets of this network namespace: IPv4, then IPv6 where there is any. */
const TABLES = ['/proc/net/tcp', '/proc/net/tcp6'];
/** `0A` in the fourth column of those tables. */
const LISTEN = '0A';

/** Does anybody listen on this TCP port, on any address? */
export function isPortTaken(port: number): boolean {
  return listenersOn(port).length > 0;
}

/**
 * Finds the process that listens on `port`, on any address. `undefined` when nobody does, or when its descriptors are
 * not ours to see. Looks at every process: only for explaining what went wrong.
 */
export function findPortOwner(port: number): PortOwner | undefined {
  const listeners = listenersOn(port);
  const pid = listeners.length === 0 ? undefined : findHolder(listeners);
  return pid === undefined ? undefined : { pid, name: readText(`/proc/${pid}/comm`).trim() };
}

/** Every socket that listens on this port. */
export function listenersOn(port: number): Listener[] {
  return TABLES.flatMap((file) => parseListeners(readText(file), port));
}

/** A process that has one of these sockets. `undefined` when they belong to somebody whose descriptors we may not see. */
export function findHolder(listeners: readonly Listener[]): number | undefined {
  const links = new Set(listeners.map(({ link }) => link));
  const pids = listOf('/proc').filter((entry) => /^\d+$/.test(entry));
  const holder = pids.find((pid) => listOf(`/proc/${pid}/fd`).some((fd) => links.has(linkOf(`/proc/${pid}/fd/${fd}`))));
  return holder === undefined ? undefined : Number(holder);
}

/** The listeners of one table. */
export function parseListeners(table: string, port: number): Listener[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').flatMap((line) => {
    const [, local, , state, , , , uid, , inode] = line.trim().split(/\s+/);
    if (state !== LISTEN || local?.endsWith(suffix) !== true || inode === undefined) return [];
    return [{ address: parseAddress(local.slice(0, -suffix.length)), uid: Number(uid), link: `socket:[${inode}]` }];
  });
}

/** 8 digits (IPv4) or 32 (IPv6): 32-bit words in the machine's byte order, little-endian on all that Muster runs on. */
function parseAddress(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, 'hex')].reverse());
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.every((byte) => byte === 0)) return '::';
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1';
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  if (isMapped) return bytes.slice(12).join('.');
  return (Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []).join(':');
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
