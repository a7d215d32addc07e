import { readFileSync, readlinkSync } from 'node:fs';
import type { Place } from '../core/reach.ts';

/**
 * Where this prober runs. `musterRun` is what an agent tells the services it starts:
 * `<agent-id>/<service>/<instance>/<generation>`. What this system doesn't offer is empty, and equals nothing.
 */
export function readOwnPlace(musterRun: string | undefined): Place {
  return {
    agentId: musterRun?.split('/')[0],
    bootId: readOr('', () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    networkNamespace: readOr('', () => /\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? ''),
  };
}

function readOr(fallback: string, read: () => string): string {
  try {
    return read();
  } catch {
    return fallback;
  }
}
