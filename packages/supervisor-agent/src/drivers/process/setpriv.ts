import { accessSync, constants } from 'node:fs';
import type { RunUser } from '../driver.ts';

/** util-linux's, which every distribution has. Not looked up in PATH: root runs it. */
const PLACES = ['/usr/bin/setpriv', '/bin/setpriv', '/usr/sbin/setpriv', '/sbin/setpriv'];

/** `undefined`: there is none. */
export function findSetpriv(): string | undefined {
  return PLACES.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
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
