/*
 * The bus's credentials, as files, without a network.
 *
 * An operator signs two accounts, the fleet's and the server's own; the fleet's account signs one user per identity,
 * with the permissions of its role in the user's JWT. The server knows the operator and the accounts only, so a new
 * identity needs no change there. Beside them stands the environment's root, which the server does not know: it signs
 * what each identity may say to the others. All of it is repeatable: a key, once made, stays, unless it was revoked; a JWT
 * or a grant is signed again only when what it must say has changed.
 */
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  createAccount,
  createOperator,
  createUser,
  decode,
  encodeAccount,
  encodeOperator,
  encodeUser,
  equivalent,
  fromSeed,
  type KeyPair,
  type User,
} from '@nats-io/jwt';
import { Id } from '../ids.ts';
import type { Grant } from '../messages/grant.ts';
import { permissionsFor } from '../permissions.ts';
import type { Role } from '../roles.ts';
import { readIfPresent, writePrivateFile } from './atomic-file.ts';
import { formatCredentials, parseCredentials } from './trust/credentials-file.ts';
import { issueGrant, readGrant } from './trust/grant.ts';
import { type Signer, signerFrom, verifierFrom } from './trust/nkey.ts';
import { ROOT_KEY_FILE, readRevocations } from './trust/revoke.ts';

const UNLIMITED = -1;
/** How long a responder may take to answer. */
const RESPONSE_NANOS = 120 * 1_000_000_000;

/** One who speaks on the bus. */
export interface Identity {
  readonly role: Role;
  readonly id: string;
  /** For which hosts its word counts; default: an agent's for its own, everybody else's for all. */
  readonly hosts?: readonly string[];
}

/** What a nats-server must know in order to let the identities in. No secrets. */
export interface BusTrust {
  readonly operatorJwt: string;
  readonly systemAccount: string;
  /** By the account's public key. */
  readonly accounts: Readonly<Record<string, string>>;
}

export interface MintOptions {
  readonly directory: string;
  readonly environment: string;
  readonly identities: readonly Identity[];
  /** Public keys of further roots to trust, while the root is being replaced. */
  readonly otherRoots?: readonly string[];
}

export interface MintedKeys {
  /** Paths of what was made or signed again. */
  readonly created: readonly string[];
  /** Paths of what was there already and still says what it must. */
  readonly kept: readonly string[];
  readonly trust: BusTrust;
}

/** A key file that is not one. It is never replaced by itself: all credentials hang on it. */
export class KeyFileError extends Error {
  readonly file: string;

  constructor(file: string, cause: unknown) {
    super(`cannot read the key file '${file}': ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
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

/** Where an identity's credentials are: `<directory>/<role>-<id>.creds`. */
export function credentialsFile(directory: string, { role, id }: Pick<Identity, 'role' | 'id'>): string {
  return join(directory, `${role}-${id}.creds`);
}

/** Where a key that is being replaced waits until it is dropped. */
export function oldFile(file: string): string {
  return `${file}.old`;
}

/** Makes what is missing and signs again what has changed. Files are 0600. @throws KeyFileError, ForeignCredentialsError */
export async function mintKeys(options: MintOptions): Promise<MintedKeys> {
  const { directory, environment, identities, otherRoots = [] } = options;
  const mint = new Mint(directory);
  const root = signerOf(await mint.key(ROOT_KEY_FILE, createOperator));
  const operator = await mint.key('operator.nk', createOperator);
  const account = await mint.key('account.nk', createAccount);
  const system = await mint.key('system.nk', createAccount);
  const operatorJwt = await mint.jwt('operator.jwt', () =>
    encodeOperator(`muster-${environment}`, operator, { system_account: system.getPublicKey() }),
  );
  const accountJwt = await mint.jwt('account.jwt', () => encodeFleetAccount(environment, account, operator));
  const systemJwt = await mint.jwt('system.jwt', () =>
    encodeAccount('SYS', system, { limits: CONNECTION_LIMITS }, { signer: operator }),
  );
  const roots = [root.publicKey, ...otherRoots];
  const revoked = await readRevocations(directory, environment, roots);
  const isRevoked = (key: string) => revoked?.list.revoked.some((entry) => entry.key === key) ?? false;
  const issuer = { environment, account, root, roots, isRevoked };
  for (const identity of identities) await mint.user(credentialsFile(directory, identity), identity, issuer);
  return {
    created: mint.created,
    kept: mint.kept,
    trust: {
      operatorJwt,
      systemAccount: system.getPublicKey(),
      accounts: { [account.getPublicKey()]: accountJwt, [system.getPublicKey()]: systemJwt },
    },
  };
}

const CONNECTION_LIMITS = {
  subs: UNLIMITED,
  data: UNLIMITED,
  payload: UNLIMITED,
  conn: UNLIMITED,
  leaf: UNLIMITED,
  imports: UNLIMITED,
  exports: UNLIMITED,
  wildcards: true,
};

function encodeFleetAccount(environment: string, account: KeyPair, operator: KeyPair): Promise<string> {
  const jetstream = { mem_storage: UNLIMITED, disk_storage: UNLIMITED, streams: UNLIMITED, consumer: UNLIMITED };
  return encodeAccount(
    `muster-${environment}`,
    account,
    { limits: { ...CONNECTION_LIMITS, ...jetstream } },
    { signer: operator },
  );
}

/** Who signs what an identity is given. */
interface Issuer {
  readonly environment: string;
  readonly account: KeyPair;
  readonly root: Signer;
  readonly roots: readonly string[];
  readonly isRevoked: (key: string) => boolean;
}

interface UserClaims {
  readonly name: string;
  readonly claims: Partial<User>;
}

function userClaims(environment: string, { role, id }: Identity): UserClaims {
  Id.parse(id);
  const { publish, subscribe, allowResponses } = permissionsFor(environment, role, id);
  return {
    name: `${role}/${id}`,
    claims: {
      pub: publish.length > 0 ? { allow: [...publish] } : { deny: ['>'] },
      sub: { allow: [...subscribe] },
      ...(allowResponses ? { resp: { max: 1, ttl: RESPONSE_NANOS } } : {}),
    },
  };
}

/** The files of one run, and what became of them. */
class Mint {
  readonly created: string[] = [];
  readonly kept: string[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async key(name: string, create: () => KeyPair): Promise<KeyPair> {
    const file = join(this.#directory, name);
    const seed = await readIfPresent(file);
    if (seed !== undefined) {
      this.kept.push(file);
      return keyFrom(file, seed);
    }
    const key = create();
    await this.#write(file, `${seedOf(key)}\n`);
    return key;
  }

  async jwt(name: string, encode: () => Promise<string>): Promise<string> {
    const file = join(this.#directory, name);
    const fresh = await encode();
    const present = (await readIfPresent(file))?.trim();
    if (present !== undefined && (await saysTheSame(present, fresh))) {
      this.kept.push(file);
      return present;
    }
    await this.#write(file, `${fresh}\n`);
    return fresh;
  }

  async user(file: string, identity: Identity, issuer: Issuer): Promise<void> {
    const present = await readIfPresent(file);
    const found = present === undefined ? undefined : credentialsFrom(file, present);
    if (found !== undefined && found.issuer !== issuer.account.getPublicKey()) throw new ForeignCredentialsError(file);
    const old = found !== undefined && !issuer.isRevoked(found.key.getPublicKey()) ? found : undefined;
    const key = old?.key ?? createUser();
    const { name, claims } = userClaims(issuer.environment, identity);
    const fresh = await encodeUser(name, key, issuer.account, claims);
    const text = formatCredentials({
      jwt: old !== undefined && (await saysTheSame(old.jwt, fresh)) ? old.jwt : fresh,
      seed: seedOf(key),
      grant: grantFor(identity, key.getPublicKey(), old?.grant, issuer),
      roots: issuer.roots,
    });
    if (text === present) this.kept.push(file);
    else await this.#write(file, text);
  }

  async #write(file: string, text: string): Promise<void> {
    await writePrivateFile(file, text);
    this.created.push(file);
  }
}

function keyFrom(file: string, seed: string): KeyPair {
  try {
    return fromSeed(new TextEncoder().encode(seed.trim()));
  } catch (error) {
    throw new KeyFileError(file, error);
  }
}

function seedOf(key: KeyPair): string {
  return new TextDecoder().decode(key.getSeed());
}

function signerOf(key: KeyPair): Signer {
  return signerFrom(seedOf(key));
}

function credentialsFrom(file: string, text: string) {
  const credentials = parseCredentials(text);
  const key = keyFrom(file, credentials.seed);
  try {
    return { ...credentials, key, issuer: decode(credentials.jwt).iss };
  } catch (error) {
    throw new KeyFileError(file, error);
  }
}

/** The present grant as long as it says what it must. */
function grantFor(
  { role, id, hosts }: Identity,
  key: string,
  present: string | undefined,
  { environment, root }: Issuer,
): string {
  const wanted = { environment, key, role, id, hosts: hosts === undefined ? ownHosts(role, id) : [...hosts] };
  if (present !== undefined) {
    const read = readGrant(present, environment, [verifierFrom(root.publicKey)]);
    if (read.ok && isDeepStrictEqual(read.value, { ...wanted, version: 1, issuedAt: read.value.issuedAt }))
      return present;
  }
  return issueGrant(wanted, root);
}

function ownHosts(role: Role, id: string): Grant['hosts'] {
  return role === 'agent' ? [id] : 'all';
}

/** Do two JWTs claim the same, whenever they were signed? */
async function saysTheSame(a: string, b: string): Promise<boolean> {
  return await equivalent(a, b).catch(() => false);
}
