import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { KeyPair } from '@nats-io/jwt';
import { parseCredentials } from '../bus/trust/credentials-file.ts';
import { claimsIn, keyPairFrom } from '../bus/trust/nkey.ts';
import { readIfPresent, replaceFile } from '../files/replace-file.ts';
import { messageOf } from '../message-of.ts';

/** Signs users; the account's own key, which can never be replaced, need not. */
export const SIGNING_KEY_FILE = 'account-signing.nk';

/** A key file that is not one. It is never replaced by itself: all credentials hang on it. */
export class KeyFileError extends Error {
  readonly file: string;

  constructor(file: string, cause: unknown) {
    super(`cannot read the key file '${file}': ${messageOf(cause)}`, { cause });
    this.name = 'KeyFileError';
    this.file = file;
  }
}

/** Credentials that came from another bus. They cannot be made again here, so they are never replaced. */
export class ForeignCredentialsError extends Error {
  readonly file: string;

  constructor(file: string) {
    super(
      `cannot sign '${file}' again: another bus's account signed it: ` +
        'set bus.url in config/agent.yaml to use that bus, or move the file away to get new credentials for this one',
    );
    this.name = 'ForeignCredentialsError';
    this.file = file;
  }
}

/** The public key in a creds file. @throws KeyFileError */
export async function publicKeyIn(file: string): Promise<string> {
  return credentialsFrom(file, readIfPresent(file) ?? '').key.getPublicKey();
}

/** Where the credentials of a site's server are: `<directory>/leaf-<site>.creds`. */
export function leafCredentialsFile(directory: string, site: string): string {
  return join(directory, `leaf-${site}.creds`);
}

/** What the servers of one cluster know each other by. Made once. */
export async function clusterPassword(directory: string): Promise<string> {
  const file = join(directory, 'cluster.password');
  const present = readIfPresent(file)?.trim();
  if (present !== undefined && present !== '') return present;
  // Without characters that an address would have to escape.
  const password = randomBytes(24).toString('base64url');
  replaceFile(file, `${password}\n`);
  return password;
}

export function keyFrom(file: string, seed: string): KeyPair {
  try {
    return keyPairFrom(seed.trim());
  } catch (error) {
    throw new KeyFileError(file, error);
  }
}

export function seedOf(key: KeyPair): string {
  return new TextDecoder().decode(key.getSeed());
}

export function credentialsFrom(file: string, text: string) {
  const credentials = parseCredentials(text);
  const key = keyFrom(file, credentials.seed);
  try {
    // What a signing key has signed names the account that it signed for.
    const { iss, nats } = claimsIn(credentials.jwt);
    return { ...credentials, key, account: nats.issuer_account ?? iss };
  } catch (error) {
    throw new KeyFileError(file, error);
  }
}
