/*
 * The list of keys that count no more, where it is made: beside the root's key.
 *
 * Whoever has the root can void any key, for good, and offline. The list is then published, and whoever leads the probers
 * hands it to every agent that announces an older one.
 */
import { join } from 'node:path';
import { type Signer, signerFrom, verifierFrom } from '../bus/trust/nkey.ts';
import type { SignedRevocations } from '../bus/trust/revocations.ts';
import { openText, signText } from '../bus/trust/signed-text.ts';
import { withFileLock } from '../files/file-lock.ts';
import { readIfPresent, replaceFile } from '../files/replace-file.ts';
import { oldFile } from '../files/state-layout.ts';
import { MAX_REVOKED_KEYS, RevocationList, type RevokedKey } from '../messages/grant.ts';

/** The environment's root: whoever has this file decides who may say what. */
export const ROOT_KEY_FILE = 'root.nk';
const LIST_FILE = 'revocations.signed';

export interface RevokeOptions {
  /** Where `mintKeys` keeps its keys. */
  readonly directory: string;
  readonly environment: string;
  readonly keys: readonly Pick<RevokedKey, 'key' | 'identity' | 'reason'>[];
}

/** There is no root here, or no room in the list. Nothing was changed. */
export class RevokeError extends Error {
  constructor(reason: string) {
    super(`cannot revoke: ${reason}`);
    this.name = 'RevokeError';
  }
}

/** Voids all grants of these keys, in the list on disk. Publish it afterwards. @throws RevokeError */
export async function revoke(options: RevokeOptions): Promise<SignedRevocations> {
  readRoots(options.directory);
  return await withKeysLock(options.directory, () => revokeAlone(options));
}

/** Of several programs that revoke, or sign what is revoked, at once, each sees what the others did. */
export async function withKeysLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  return await withFileLock(join(directory, 'keys.lock'), work);
}

async function revokeAlone({ directory, environment, keys }: RevokeOptions): Promise<SignedRevocations> {
  const { root, signer } = readRoots(directory);
  const present = await readRevocations(directory, environment, [root.publicKey, signer.publicKey]);
  const known = present?.list.revoked ?? [];
  const added = keys.filter(({ key }) => !known.some((entry) => entry.key === key));
  if (present !== undefined && added.length === 0) return present;
  if (known.length + added.length > MAX_REVOKED_KEYS) {
    throw new RevokeError(`the list is full (${MAX_REVOKED_KEYS} keys): replace the root, which voids all old grants`);
  }
  return write(directory, environment, [...known, ...added], present, signer);
}

/** Signs the list with the new root, before the old one is dropped. */
export async function resignRevocations(directory: string, environment: string): Promise<void> {
  await withKeysLock(directory, async () => {
    const { root, signer } = readRoots(directory);
    const present = await readRevocations(directory, environment, [root.publicKey, signer.publicKey]);
    if (present !== undefined) write(directory, environment, present.list.revoked, present, root);
  });
}

/** The root, and which one signs: the old one while it is being replaced, since not everybody knows the new one yet. */
function readRoots(directory: string): { root: Signer; signer: Signer } {
  const file = join(directory, ROOT_KEY_FILE);
  const seed = readIfPresent(file);
  if (seed === undefined) {
    throw new RevokeError(`there is no '${ROOT_KEY_FILE}' in '${directory}': run it where the keys of the bus are`);
  }
  const oldSeed = readIfPresent(oldFile(file));
  return { root: signerFrom(seed.trim()), signer: signerFrom((oldSeed ?? seed).trim()) };
}

function write(
  directory: string,
  environment: string,
  revoked: readonly (Omit<RevokedKey, 'revokedAt'> & Partial<RevokedKey>)[],
  present: SignedRevocations | undefined,
  signer: Signer,
): SignedRevocations {
  const now = new Date();
  const list = RevocationList.parse({
    // A list that was lost and begun anew must not have a lower version than the one that agents know.
    version: Math.max((present?.list.version ?? 0) + 1, Math.floor(now.getTime() / 1_000)),
    environment,
    issuedAt: now.toISOString(),
    revoked: revoked.map((key) => ({ revokedAt: now.toISOString(), ...key })),
  });
  const text = signText('revocations', list, signer);
  replaceFile(join(directory, LIST_FILE), `${text}\n`);
  return { list, text };
}

/** What was revoked so far with the keys of this directory; `undefined` when nothing was. @throws RevokeError */
export async function readRevocations(
  directory: string,
  environment: string,
  roots: readonly string[],
): Promise<SignedRevocations | undefined> {
  const file = join(directory, LIST_FILE);
  const text = readIfPresent(file)?.trim();
  if (text === undefined) return undefined;
  const opened = openText('revocations', RevocationList, text, roots.map(verifierFrom));
  if (!opened.ok) {
    throw new RevokeError(`cannot read '${file}': ${opened.reason}: delete it if the root was replaced since`);
  }
  if (opened.value.environment !== environment) {
    throw new RevokeError(`'${file}' is for environment '${opened.value.environment}', not '${environment}'`);
  }
  return { list: opened.value, text };
}
