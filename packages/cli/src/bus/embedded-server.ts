import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SERVER_FILES, stateLayout } from '@muster/contracts/files';
import type { Settings } from '../config.ts';

/** Where the embedded nats-server writes its pid. */
export function pidFileOf({ stateDir }: Pick<Settings, 'stateDir'>): string {
  return join(stateLayout(stateDir).serverDir, SERVER_FILES.pid);
}

/**
 * HUP makes it read its certificates again; TERM ends it, and the agent starts it again at once.
 * @returns false when it does not run here
 */
export async function signalServer(settings: Settings, signal: 'SIGHUP' | 'SIGTERM'): Promise<boolean> {
  const pid = Number(await readFile(pidFileOf(settings), 'utf8').catch(() => ''));
  // A pid from before a crash may be somebody else's by now.
  const name = pid > 0 ? await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '') : '';
  if (name.trim() !== 'nats-server') return false;
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
