import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { SignedRevocations } from '@muster/contracts/bus';
import { credentialsFile, oldFile, tlsFilesBeside } from '@muster/contracts/files';
import { type Identity, publicKeyIn, revoke } from '@muster/contracts/keys';
import type { Settings } from '../config.ts';

export interface VoidedKeys {
  readonly revocations: SignedRevocations;
  /** How many counted until now. */
  readonly count: number;
}

/** Voids the keys of an identity, and `seenKey`, which it was heard with, and takes its files away. On disk only: tell the servers, and everybody, afterwards. */
export async function voidKeysOf(
  identity: Identity,
  reason: string,
  { keysDir, environment }: Settings,
  seenKey?: string,
): Promise<VoidedKeys> {
  const creds = credentialsFile(keysDir, identity);
  const { certFile, keyFile } = tlsFilesBeside(creds);
  // While its key is being replaced, a host has two.
  const files = [creds, oldFile(creds)].filter((file) => existsSync(file));
  const found = await Promise.all(files.map((file) => publicKeyIn(file)));
  const keys = [...new Set([...found, ...(seenKey === undefined ? [] : [seenKey])])].map((key) => ({
    key,
    identity: `${identity.role}/${identity.id}`,
    reason,
  }));
  const revocations = await revoke({ directory: keysDir, environment, keys });
  for (const file of [...files, certFile, keyFile]) await rm(file, { force: true });
  return { revocations, count: found.length };
}
