import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseCredentials } from '../bus/trust/credentials-file.ts';
import { readGrant } from '../bus/trust/grant.ts';
import { verifierFrom } from '../bus/trust/nkey.ts';
import { readIfPresent } from '../files/replace-file.ts';
import { type PersonRole, parseIdentity, type Role } from '../roles.ts';

/** One who speaks on the bus. */
export interface Identity {
  readonly role: Role;
  readonly id: string;
  /** For which hosts its word counts; default: an agent's for its own, everybody else's for all. */
  readonly hosts?: readonly string[];
  /** Up to what role it may speak for people; default: a dashboard for all, nobody else for any. */
  readonly delegates?: PersonRole;
}

/** Everybody who has credentials in this directory, with the scope that they were granted. */
export async function identitiesIn(directory: string, environment: string): Promise<readonly Identity[]> {
  const names = (await readdir(directory)).sort();
  return names.flatMap((name) => identityOf(join(directory, name), environment) ?? []);
}

function identityOf(file: string, environment: string): Identity | undefined {
  const identity = file.endsWith('.creds') ? parseIdentity(basename(file, '.creds'), '-') : undefined;
  if (identity === undefined) return undefined;
  const { grant = '', roots } = parseCredentials(readIfPresent(file) ?? '');
  const read = readGrant(grant, environment, roots.map(verifierFrom));
  const isNarrow = read.ok && identity.role !== 'agent' && read.value.hosts !== 'all';
  const delegates = read.ok ? read.value.delegates : undefined;
  return {
    ...identity,
    ...(isNarrow && { hosts: read.value.hosts as readonly string[] }),
    ...(delegates !== undefined && { delegates }),
  };
}
