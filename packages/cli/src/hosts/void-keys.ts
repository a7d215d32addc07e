import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import {
  credentialsFile,
  type Identity,
  oldFile,
  publicKeyIn,
  revoke,
  type SignedRevocations,
  tlsFilesBeside,
} from '@muster/contracts/bus';
import type { Settings } from '../config.ts';

export interface VoidedKeys {
  readonly revocations: SignedRevocations;
  /** How many counted until now. */
  readonly count: number;
}

/** Voids the keys of an identity, and takes its files away. On disk only: tell the servers, and everybody, afterwards. */
export async function voidKeysOf(
  identity: Identity,
  reason: string,
  { keysDir, environment }: Settings,
): Promise<VoidedKeys> {
  const creds = credentialsFile(keysDir, identity);
  const { certFile, keyFile } = tlsFilesBeside(creds);
  // While its key is being replaced, a host has two.
  const files = [creds, oldFile(creds)].filter((file) => existsSync(file));
  const keys = await Promise.all(
    files.map(async (file) => ({
      key: await publicKeyIn(file),
      identity: `${identity.role}/${identity.id}`,
      reason,
    })),
  );
  const revocations = await revoke({ directory: keysDir, environment, keys });
  for (const file of [...files, certFile, keyFile]) await rm(file, { force: true });
  return { revocations, count: keys.length };
}
