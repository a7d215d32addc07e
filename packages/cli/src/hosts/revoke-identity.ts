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

export interface RevokedIdentity {
  readonly revocations: SignedRevocations;
  /** It had credentials here. */
  readonly wasHere: boolean;
}

/**
 * Voids every key of an identity, and `seenKey`, which it was heard with, and takes its credentials away. The servers and
 * everybody who believes it are still to be told. @throws RevokeError
 */
export async function revokeIdentity(
  identity: Identity,
  { reason, seenKey }: { readonly reason: string; readonly seenKey?: string | undefined },
  { keysDir, environment }: Settings,
): Promise<RevokedIdentity> {
  const creds = credentialsFile(keysDir, identity);
  const { certFile, keyFile } = tlsFilesBeside(creds);
  // While its key is being replaced, an identity has two.
  const files = [creds, oldFile(creds)].filter((file) => existsSync(file));
  const found = await Promise.all(files.map((file) => publicKeyIn(file)));
  const keys = [...new Set([...found, ...(seenKey === undefined ? [] : [seenKey])])];
  const revocations = await revoke({
    directory: keysDir,
    environment,
    keys: keys.map((key) => ({ key, identity: `${identity.role}/${identity.id}`, reason })),
  });
  for (const file of [...files, certFile, keyFile]) await rm(file, { force: true });
  return { revocations, wasHere: files.length > 0 };
}
