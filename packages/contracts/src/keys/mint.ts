/*
 * The bus's credentials, as files, without a network.
 *
 * An operator signs two accounts, the fleet's and the server's own; a key of the fleet's account signs one user per identity,
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
  encodeAccount,
  encodeOperator,
  encodeUser,
  type KeyPair,
} from '@nats-io/jwt';
import { formatCredentials } from '../bus/trust/credentials-file.ts';
import { issueGrant, readGrant } from '../bus/trust/grant.ts';
import { type Signer, signerFrom, verifierFrom } from '../bus/trust/nkey.ts';
import { readIfPresent, replaceFile } from '../files/replace-file.ts';
import { credentialsFile, oldFile } from '../files/state-layout.ts';
import type { Grant } from '../messages/grant.ts';
import type { Role } from '../roles.ts';
import {
  CONNECTION_LIMITS,
  encodeFleetAccount,
  leafClaims,
  saysTheSame,
  type UserClaims,
  userClaims,
} from './claims.ts';
import type { Identity } from './identities.ts';
import {
  credentialsFrom,
  ForeignCredentialsError,
  keyFrom,
  leafCredentialsFile,
  SIGNING_KEY_FILE,
  seedOf,
} from './key-files.ts';
import { ROOT_KEY_FILE, readRevocations, withKeysLock } from './revoke.ts';

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

/** Makes what is missing and signs again what has changed. Files are 0600. @throws KeyFileError, ForeignCredentialsError */
export async function mintKeys(options: MintOptions): Promise<MintedKeys> {
  return await withKeysLock(options.directory, () => mintAlone(options));
}

async function mintAlone(options: MintOptions): Promise<MintedKeys> {
  const { directory, environment, identities, leafSites = [] } = options;
  const mint = new Mint(directory);
  const root = signerOf(mint.key(ROOT_KEY_FILE, createOperator));
  const oldRoot = mint.oldKey(ROOT_KEY_FILE);
  const operator = mint.key('operator.nk', createOperator);
  const account = mint.key('account.nk', createAccount);
  const signing = mint.key(SIGNING_KEY_FILE, createAccount);
  const oldSigning = mint.oldKey(SIGNING_KEY_FILE);
  const system = mint.key('system.nk', createAccount);
  const operatorJwt = await mint.jwt('operator.jwt', () =>
    encodeOperator(`muster-${environment}`, operator, { system_account: system.getPublicKey() }),
  );
  const roots = [root.publicKey, ...(oldRoot === undefined ? [] : [oldRoot.getPublicKey()])];
  const revoked = (await readRevocations(directory, environment, roots))?.list.revoked ?? [];
  const accountJwt = await mint.jwt('account.jwt', () =>
    encodeFleetAccount(environment, account, operator, {
      signing_keys: [signing, ...(oldSigning === undefined ? [] : [oldSigning])].map((key) => key.getPublicKey()),
      revocations: Object.fromEntries(revoked.map(({ key, revokedAt }) => [key, secondsOf(revokedAt)])),
    }),
  );
  const systemJwt = await mint.jwt('system.jwt', () =>
    encodeAccount('SYS', system, { limits: CONNECTION_LIMITS }, { signer: operator }),
  );
  const issuer: Issuer = {
    environment,
    account,
    signing,
    // Everybody must know the new root before those who are believed everywhere are granted by it. An agent is asked by
    // programs that do: all of its own bus.
    rootFor: (role) => (oldRoot === undefined || role === 'agent' ? root : signerOf(oldRoot)),
    roots,
    isRevoked: (key) => revoked.some((entry) => entry.key === key),
  };
  for (const identity of identities) await mint.user(credentialsFile(directory, identity), identity, issuer);
  for (const site of leafSites) await mint.leaf(leafCredentialsFile(directory, site), site, issuer);
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

/** Who signs what an identity is given. */
interface Issuer {
  readonly environment: string;
  readonly account: KeyPair;
  /** Signs users in the account's name. */
  readonly signing: KeyPair;
  readonly rootFor: (role: Role) => Signer;
  readonly roots: readonly string[];
  readonly isRevoked: (key: string) => boolean;
}

/** The files of one run, and what became of them. */
class Mint {
  readonly created: string[] = [];
  readonly kept: string[] = [];
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  key(name: string, create: () => KeyPair): KeyPair {
    const file = join(this.#directory, name);
    const seed = readIfPresent(file);
    if (seed !== undefined) {
      this.kept.push(file);
      return keyFrom(file, seed);
    }
    const key = create();
    this.#write(file, `${seedOf(key)}\n`);
    return key;
  }

  /** The key before that one, while it is being replaced. */
  oldKey(name: string): KeyPair | undefined {
    const file = oldFile(join(this.#directory, name));
    const seed = readIfPresent(file);
    return seed === undefined ? undefined : keyFrom(file, seed);
  }

  async jwt(name: string, encode: () => Promise<string>): Promise<string> {
    const file = join(this.#directory, name);
    const fresh = await encode();
    const present = readIfPresent(file)?.trim();
    if (present !== undefined && saysTheSame(present, fresh)) {
      this.kept.push(file);
      return present;
    }
    this.#write(file, `${fresh}\n`);
    return fresh;
  }

  async user(file: string, identity: Identity, issuer: Issuer): Promise<void> {
    const claims = userClaims(issuer.environment, identity);
    await this.#credentials(file, claims, issuer, (key, present) => grantFor(identity, key, present, issuer));
  }

  /** A site's server speaks for nobody: it is granted nothing. */
  async leaf(file: string, site: string, issuer: Issuer): Promise<void> {
    await this.#credentials(file, leafClaims(site), issuer, () => undefined);
  }

  async #credentials(
    file: string,
    { name, claims }: UserClaims,
    issuer: Issuer,
    grantOf: (key: string, present: string | undefined) => string | undefined,
  ): Promise<void> {
    const present = readIfPresent(file);
    const found = present === undefined ? undefined : credentialsFrom(file, present);
    if (found !== undefined && found.account !== issuer.account.getPublicKey()) throw new ForeignCredentialsError(file);
    const old = found !== undefined && !issuer.isRevoked(found.key.getPublicKey()) ? found : undefined;
    const key = old?.key ?? createUser();
    const fresh = await encodeUser(name, key, issuer.account, claims, { signer: issuer.signing });
    const text = formatCredentials({
      jwt: old !== undefined && saysTheSame(old.jwt, fresh) ? old.jwt : fresh,
      seed: seedOf(key),
      grant: grantOf(key.getPublicKey(), old?.grant),
      roots: issuer.roots,
    });
    if (text === present) this.kept.push(file);
    else this.#write(file, text);
  }

  #write(file: string, text: string): void {
    replaceFile(file, text);
    this.created.push(file);
  }
}

function signerOf(key: KeyPair): Signer {
  return signerFrom(seedOf(key));
}

/** The present grant as long as it says what it must. */
function grantFor(
  { role, id, hosts, delegates = role === 'dashboard' ? 'admin' : undefined }: Identity,
  key: string,
  present: string | undefined,
  { environment, rootFor }: Issuer,
): string {
  const root = rootFor(role);
  const wanted = {
    environment,
    key,
    role,
    id,
    hosts: hosts === undefined ? ownHosts(role, id) : [...hosts],
    ...(delegates !== undefined && { delegates }),
  };
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

function secondsOf(time: string): number {
  return Math.floor(Date.parse(time) / 1_000);
}
