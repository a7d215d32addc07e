/*
 * What the JWTs of accounts and users say.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Account, encodeAccount, type KeyPair, type User } from '@nats-io/jwt';
import { claimsIn } from '../bus/trust/nkey.ts';
import { MAX_HEADER_BYTES, MAX_MESSAGE_BYTES } from '../envelope.ts';
import { Id } from '../ids.ts';
import { permissionsFor } from '../permissions.ts';
import type { Role } from '../roles.ts';
import type { Identity } from './identities.ts';

const UNLIMITED = -1;
export const CONNECTION_LIMITS = {
  subs: UNLIMITED,
  data: UNLIMITED,
  payload: UNLIMITED,
  conn: UNLIMITED,
  leaf: UNLIMITED,
  imports: UNLIMITED,
  exports: UNLIMITED,
  wildcards: true,
};

export function encodeFleetAccount(
  environment: string,
  account: KeyPair,
  operator: KeyPair,
  claims: Partial<Account>,
): Promise<string> {
  const jetstream = { mem_storage: UNLIMITED, disk_storage: UNLIMITED, streams: UNLIMITED, consumer: UNLIMITED };
  return encodeAccount(
    `muster-${environment}`,
    account,
    { ...claims, limits: { ...CONNECTION_LIMITS, ...jetstream } },
    { signer: operator },
  );
}

export interface UserClaims {
  readonly name: string;
  readonly claims: Partial<User>;
}

export function userClaims(environment: string, { role, id }: Identity): UserClaims {
  Id.parse(id);
  const { publish, subscribe } = permissionsFor(environment, role, id);
  return {
    name: `${role}/${id}`,
    claims: {
      ...userLimits(role),
      pub: publish.length > 0 ? { allow: [...publish] } : { deny: ['>'] },
      sub: { allow: [...subscribe] },
    },
  };
}

/** A server speaks for all of its clients, whose own rights it checks. So it may do everything, but not log in as a client. */
export function leafClaims(site: string): UserClaims {
  return { name: `leaf/${Id.parse(site)}`, claims: { allowed_connection_types: ['LEAFNODE'] } };
}

/**
 * How many subscriptions one connection may hold. The server keeps some kilobytes for each: who has no need of many is not
 * given them. An agent has one for each command; those who read open one for each bucket, stream and page.
 */
const MAX_SUBSCRIPTIONS: Readonly<Record<Role, number>> = {
  agent: 100,
  observer: 50,
  monitor: 50,
  operator: 1_000,
  prober: 2_000,
  dashboard: 5_000,
  admin: 5_000,
};

/** What nats-server holds each connection of a role to. */
function userLimits(role: Role): Pick<User, 'subs' | 'data' | 'payload'> {
  return { subs: MAX_SUBSCRIPTIONS[role], data: -1, payload: MAX_MESSAGE_BYTES + MAX_HEADER_BYTES };
}

/** Do two JWTs claim the same, whenever they were signed? */
export function saysTheSame(a: string, b: string): boolean {
  try {
    return isDeepStrictEqual(timelessClaims(a), timelessClaims(b));
  } catch {
    return false;
  }
}

function timelessClaims(jwt: string): object {
  return { ...claimsIn(jwt), iat: undefined, jti: undefined };
}
