/*
 * The bus's credentials, as files, without a network.
 *
 * An operator signs two accounts, the fleet's and the server's own; the fleet's account signs one user per identity,
 * with the permissions of its role in the user's JWT. The server knows the operator and the accounts only, so a new
 * identity needs no change there. All of it is repeatable: a key, once made, stays; a JWT is signed again only when
 * what it must say has changed.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  createAccount,
  createOperator,
  createUser,
  decode,
  encodeAccount,
  encodeOperator,
  encodeUser,
  equivalent,
  fmtCreds,
  fromSeed,
  type KeyPair,
  parseCreds,
  type User,
} from '@nats-io/jwt';
import { Id } from '../ids.ts';
import { permissionsFor } from '../permissions.ts';
import type { Role } from '../roles.ts';
import { readIfPresent, writePrivateFile } from './atomic-file.ts';

const UNLIMITED = -1;
/** How long a responder may take to answer. */
const RESPONSE_NANOS = 120 * 1_000_000_000;

/** One who speaks on the bus. */
export interface Identity {
  readonly role: Role;
  readonly id: string;
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
  /** Sites whose own nats-server may join as a leaf node. */
  readonly leafSites?: readonly string[];
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
export function credentialsFile(directory: string, { role, id }: Identity): string {
  return join(directory, `${role}-${id}.creds`);
}

/** Where the credentials of a site's server are: `<directory>/leaf-<site>.creds`. */
export function leafCredentialsFile(directory: string, site: string): string {
  return join(directory, `leaf-${site}.creds`);
}

/** What the servers of one cluster know each other by. Made once. */
export async function clusterPassword(directory: string): Promise<string> {
  const file = join(directory, 'cluster.password');
  const present = (await readIfPresent(file))?.trim();
  if (present !== undefined && present !== '') return present;
  // Without characters that an address would have to escape.
  const password = randomBytes(24).toString('base64url');
  await writePrivateFile(file, `${password}\n`);
  return password;
}

/** Makes what is missing and signs again what has changed. Files are 0600. @throws KeyFileError, ForeignCredentialsError */
export async function mintKeys({
  directory,
  environment,
  identities,
  leafSites = [],
}: MintOptions): Promise<MintedKeys> {
  const mint = new Mint(directory);
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
  for (const identity of identities) {
    await mint.user(credentialsFile(directory, identity), userClaims(environment, identity), account);
  }
  for (const site of leafSites) await mint.user(leafCredentialsFile(directory, site), leafClaims(site), account);
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

/** A server speaks for all of its clients, whose own rights it checks. So it may do everything, but not log in as a client. */
function leafClaims(site: string): UserClaims {
  return { name: `leaf/${Id.parse(site)}`, claims: { allowed_connection_types: ['LEAFNODE'] } };
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
    await this.#write(file, `${new TextDecoder().decode(key.getSeed())}\n`);
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

  async user(file: string, { name, claims }: UserClaims, account: KeyPair): Promise<void> {
    const present = await readIfPresent(file);
    const old = present === undefined ? undefined : await credentialsFrom(file, present);
    if (old !== undefined && decode(old.jwt).iss !== account.getPublicKey()) throw new ForeignCredentialsError(file);
    const key = old?.key ?? createUser();
    const fresh = await encodeUser(name, key, account, claims);
    if (old !== undefined && (await saysTheSame(old.jwt, fresh))) {
      this.kept.push(file);
      return;
    }
    await this.#write(file, new TextDecoder().decode(fmtCreds(fresh, key)));
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

async function credentialsFrom(file: string, text: string): Promise<{ key: KeyPair; jwt: string }> {
  try {
    const { key, jwt } = await parseCreds(new TextEncoder().encode(text));
    return { key: keyFrom(file, key), jwt };
  } catch (error) {
    throw error instanceof KeyFileError ? error : new KeyFileError(file, error);
  }
}

/** Do two JWTs claim the same, whenever they were signed? */
async function saysTheSame(a: string, b: string): Promise<boolean> {
  return await equivalent(a, b).catch(() => false);
}
