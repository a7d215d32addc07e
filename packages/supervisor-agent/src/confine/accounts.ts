/** The system's accounts that Muster's own programs run as: found, or made where they are missing. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { messageOf } from '@muster/contracts';
import { findSystemTool } from '../drivers/process/setpriv.ts';

export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** There is no such account, and none can be made. */
export class AccountError extends Error {
  override readonly name = 'AccountError';
}

const run = promisify(execFile);
/** An administrator's own tool may hold the lock of /etc/passwd. */
const ATTEMPTS = 4;
const RETRY_MS = 500;
/**
 * useradd looks whether there is such an account before it takes the lock of /etc/passwd: of two at once, each makes one, with
 * the same name and another number (tried). So agents take turns.
 */
const TAKE_TURNS = ['--timeout', '30', '/etc'];
const MAKE_IF_MISSING = 'grep -q "^$1:" /etc/passwd && exit; useradd=$2; shift 2; "$useradd" "$@" && echo made';

/** The line of /etc/passwd that is this account's. */
export function parseAccount(passwd: string, name: string): Account | undefined {
  for (const line of passwd.split('\n')) {
    const [found, , uid, gid, , home] = line.split(':');
    if (found !== name || !isNumber(uid) || !isNumber(gid)) continue;
    return { name, uid: Number(uid), gid: Number(gid), home: home || '/nonexistent' };
  }
  return undefined;
}

/** Looks in /etc/passwd, then wherever else this system keeps accounts. */
async function findAccount(name: string): Promise<Account | undefined> {
  const local = parseAccount(readFileSync('/etc/passwd', 'utf8'), name);
  if (local !== undefined) return local;
  try {
    return parseAccount((await run('getent', ['passwd', name])).stdout, name);
  } catch {
    return undefined; // not there, or no getent
  }
}

/** Finds the account, or makes one that nobody can log in to. @throws AccountError with what to do instead */
export async function ensureAccount(name: string, onMade: (name: string) => void): Promise<Account> {
  let reason = 'it does not stay';
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const account = await findAccount(name);
    if (account !== undefined) return account;
    if (attempt > 0) await delay(RETRY_MS);
    try {
      if (await makeAccount(name)) onMade(name);
    } catch (error) {
      reason = whyNot(error);
      if (!reason.includes('lock')) break;
    }
  }
  throw new AccountError(
    `cannot make the system user '${name}': ${reason}. Make it (useradd --system --shell /usr/sbin/nologin ${name}), ` +
      `or name users that are there, or root, under run_as in agent.yaml`,
  );
}

/** False when somebody else was faster. */
async function makeAccount(name: string): Promise<boolean> {
  const [useradd, flock] = ['useradd', 'flock'].map(findSystemTool);
  if (useradd === undefined || flock === undefined) {
    throw new Error(`there is no ${useradd === undefined ? 'useradd' : 'flock'} here`);
  }
  const line = useraddArguments(name, readFileSync('/etc/group', 'utf8'));
  const script = ['/bin/sh', '-c', MAKE_IF_MISSING, 'sh', name, useradd, ...line];
  return (await run(flock, [...TAKE_TURNS, ...script])).stdout.includes('made');
}

function useraddArguments(name: string, groups: string): string[] {
  const hasGroup = groups.split('\n').some((line) => line.startsWith(`${name}:`));
  const group = hasGroup ? ['--gid', name] : ['--user-group'];
  const nobody = ['--no-create-home', '--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin'];
  return ['--system', ...group, ...nobody, '--comment', 'Muster', name];
}

function whyNot(error: unknown): string {
  const told = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
  return (told === '' ? messageOf(error) : told).replaceAll('\n', '; ');
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d+$/.test(text);
}
