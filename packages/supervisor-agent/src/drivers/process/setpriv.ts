import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import type { RunUser } from '../driver.ts';

/** Not PATH: root runs it, and what root's PATH says depends on how somebody became root. */
const FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];

/** The path of one of the system's own tools; `undefined`: there is none. */
export function findSystemTool(name: string): string | undefined {
  return FOLDERS.map((folder) => path.join(folder, name)).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** util-linux's, which every distribution has. */
export function findSetpriv(): string | undefined {
  return findSystemTool('setpriv');
}

/**
 * What stands before a command that another user is to run: it becomes that user, for good, by the same pid. Without
 * new privileges, or a set-user-id program would give back what was taken.
 */
export function setprivLine(user: RunUser | undefined): string[] {
  if (user === undefined) return [];
  const { uid, gid } = user;
  const drop = ['--clear-groups', '--inh-caps=-all', '--no-new-privs'];
  return [findSetpriv() ?? 'setpriv', `--reuid=${uid}`, `--regid=${gid}`, ...drop, '--'];
}
