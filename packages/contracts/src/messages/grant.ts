import { z } from 'zod';
import { Timestamp } from '../envelope.ts';
import { Id } from '../ids.ts';
import { PERSON_ROLES, ROLES } from '../roles.ts';

/** A user's public nkey. */
const UserKey = z
  .string()
  .max(56)
  .regex(/^U[A-Z2-7]{55}$/, 'must be a public user nkey');

/** So many hosts can be named one by one. */
export const MAX_GRANTED_HOSTS = 64;
const MAX_GRANTED_LABELS = 8;

/**
 * Who may speak with a key, as the environment's root has signed it. A newer version may hold restrictions that an older
 * reader would not see, so an unknown version is refused.
 */
export const Grant = z.object({
  version: z.literal(1),
  environment: Id,
  key: UserKey,
  role: z.enum(ROLES),
  id: Id,
  /** For which hosts its word counts. It travels with each question, so the list is short. */
  hosts: z.union([z.literal('all'), z.array(Id).max(MAX_GRANTED_HOSTS)]),
  /** It may vouch for people who speak through it, up to this role and within its own hosts. */
  delegates: z.enum(PERSON_ROLES).optional(),
  issuedAt: Timestamp,
});
export type Grant = z.infer<typeof Grant>;

/**
 * For whom a dashboard speaks, as its own key has signed it. It only ever narrows what the dashboard itself may do: who
 * answers checks it against the dashboard's grant.
 */
export const PersonGrant = z.object({
  version: z.literal(1),
  environment: Id,
  /** Who, as the audit names them: `user/ada`. */
  who: z.string().min(1).max(200),
  role: z.enum(PERSON_ROLES),
  hosts: z.union([z.literal('all'), z.array(Id).max(MAX_GRANTED_HOSTS)]),
  /** Only services that bear all of these labels. */
  labels: z
    .record(z.string().min(1).max(63), z.string().max(255))
    .refine((labels) => Object.keys(labels).length <= MAX_GRANTED_LABELS, `at most ${MAX_GRANTED_LABELS} labels`)
    .optional(),
  issuedAt: Timestamp,
  /** By the clock of who answers: a wrong clock there ends it early or late, and grants nothing that was not. */
  expiresAt: Timestamp,
});
export type PersonGrant = z.infer<typeof PersonGrant>;

/** Who asks: an identity of the bus, and the person behind it where it speaks for one. */
export type Asker = Grant & { readonly person?: PersonGrant };

/** Does the word of whoever bears this grant count for `host`? */
export function isInScope({ hosts }: Pick<Grant, 'hosts'>, host: string): boolean {
  return hosts === 'all' || hosts.includes(host);
}

/** A service, as far as it matters who may know it. */
export interface LabelledService {
  readonly service: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Why this asker has no say about `host`: the narrower of its own grant and of the person's counts. */
export function whyNotHost(asker: Asker, host: string): string | undefined {
  const { role, id, person } = asker;
  if (!isInScope(asker, host)) return `${role}/${id} is not granted host '${host}': have credentials made that name it`;
  if (person === undefined || isInScope(person, host)) return undefined;
  return `${person.who} is not granted host '${host}'`;
}

/** As that, about what runs there: a service or, without one, the host as a whole. */
export function whyNotCovered(asker: Asker, host: string, of?: LabelledService): string | undefined {
  const why = whyNotHost(asker, host);
  if (why !== undefined) return why;
  const wanted = Object.entries(asker.person?.labels ?? {});
  if (wanted.length === 0) return undefined;
  const { service, labels } = of ?? {};
  const isBorne = ([name, value]: readonly [string, string]) =>
    Object.hasOwn(labels ?? {}, name) && labels?.[name] === value;
  if (wanted.every(isBorne)) return undefined;
  const granted = wanted.map(([name, value]) => `${name}=${value}`).join(', ');
  const what = service === undefined ? 'the host itself' : `'${service}'`;
  return `${asker.person?.who} is granted services with ${granted} only, not ${what}`;
}

/** Versions are Unix seconds, or one more than the last. */
const MAX_VERSION = 1e12;
/** More would not fit into one message. */
export const MAX_REVOKED_KEYS = 2_000;

/** A key whose grants are void, whenever they were signed. */
export const RevokedKey = z.object({
  key: UserKey,
  /** Whose it was: `agent/web1`. */
  identity: z.string().min(1).max(80),
  reason: z.string().max(80),
  revokedAt: Timestamp,
});
export type RevokedKey = z.infer<typeof RevokedKey>;

/** All keys that count no more, as the environment's root has signed it. A list is only ever replaced by a higher version. */
export const RevocationList = z.object({
  version: z.int().min(1).max(MAX_VERSION),
  environment: Id,
  issuedAt: Timestamp,
  revoked: z.array(RevokedKey).max(MAX_REVOKED_KEYS),
});
export type RevocationList = z.infer<typeof RevocationList>;
