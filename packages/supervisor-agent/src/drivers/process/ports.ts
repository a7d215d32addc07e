import { readFileSync } from 'node:fs';

/** `0A` in the fourth column of /proc/net/tcp. */
const LISTEN = '0A';

/** Does anybody listen on this TCP port, on any address of this network namespace? */
export function isPortTaken(port: number): boolean {
  return ['/proc/net/tcp', '/proc/net/tcp6'].some((path) => hasListener(readTable(path), port));
}

/** Reads the text of /proc/net/tcp or tcp6. */
export function hasListener(table: string, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').some((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === LISTEN && local !== undefined && local.endsWith(suffix);
  });
}

function readTable(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // No IPv6 here.
    return '';
  }
}
