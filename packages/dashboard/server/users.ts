import { readFileSync } from 'node:fs';

/** Accounts of this machine by name and by number. */
export interface Users {
  uidOf(name: string): number | undefined;
  /** For people: `kim (uid 1000)`, or `uid 1000` when it has no name here. */
  named(uid: number): string;
}

/** Those of /etc/passwd; accounts of a directory service have a number only. */
export function readUsers(file = '/etc/passwd'): Users {
  const uids = new Map<string, number>();
  const names = new Map<number, string>();
  for (const [, name = '', uid] of readIfAny(file).matchAll(/^([^:\s#+-][^:\s]*):[^:\n]*:(\d{1,10}):/gm)) {
    if (!uids.has(name)) uids.set(name, Number(uid));
    // The first name of a number is the one that `id` shows.
    if (!names.has(Number(uid))) names.set(Number(uid), name);
  }
  return {
    uidOf: (name) => uids.get(name),
    named: (uid) => (names.has(uid) ? `${names.get(uid)} (uid ${uid})` : `uid ${uid}`),
  };
}

function readIfAny(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
