import { z } from 'zod';
import { parseIdentity, type Role } from '../roles.ts';
import { matchesFilter } from './matches-filter.ts';

/** What a creds file says of its owner. */
export interface CredentialClaims {
  /** `<role>/<id>` for the identities that Muster makes. */
  readonly name: string;
  /** Of such a name, where it is one. */
  readonly role?: Role;
  readonly id?: string;
  readonly issuedAt?: Date;
  readonly expiresAt?: Date;
  /** What it may do; `undefined` when the credentials don't say it themselves. */
  readonly publish?: readonly string[];
  readonly subscribe?: readonly string[];
  /** May answer on whatever reply subject a question names: no identity of this version may. */
  readonly mayRespondAnywhere?: true;
}

const Subjects = z.object({ allow: z.array(z.string()).optional() }).optional();
const Payload = z.object({
  name: z.string(),
  iat: z.number().optional(),
  exp: z.number().optional(),
  nats: z.object({ pub: Subjects, sub: Subjects, resp: z.unknown().optional() }).optional(),
});

/** Reads the claims out of the text of a creds file; nothing is verified. `undefined` when it is not one. */
export function readCredentialClaims(text: string): CredentialClaims | undefined {
  const [, payload] = /-----BEGIN NATS USER JWT-----\s+[^.\s]+\.([^.\s]+)\./u.exec(text) ?? [];
  if (payload === undefined) return undefined;
  const claims = Payload.safeParse(jsonOf(Buffer.from(payload, 'base64url').toString()));
  if (!claims.success) return undefined;
  const { name, iat, exp, nats } = claims.data;
  return {
    name,
    ...parseIdentity(name, '/'),
    ...(iat !== undefined && { issuedAt: new Date(iat * 1_000) }),
    ...(exp !== undefined && { expiresAt: new Date(exp * 1_000) }),
    ...(nats?.pub?.allow !== undefined && { publish: nats.pub.allow }),
    ...(nats?.sub?.allow !== undefined && { subscribe: nats.sub.allow }),
    ...(nats?.resp !== undefined && { mayRespondAnywhere: true }),
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Which of the subjects and patterns that are `wanted` are not all within what is `granted`. */
export function notGranted(granted: readonly string[], wanted: readonly string[]): readonly string[] {
  return wanted.filter((subject) => !granted.some((pattern) => isWithin(pattern, subject)));
}

/** Is every subject that `inner` names one that `outer` names? */
function isWithin(outer: string, inner: string): boolean {
  const tokens = outer.split('.');
  // A star in `inner` is one token like others; its `>` is within another `>` only.
  return matchesFilter(outer, inner) && (!inner.endsWith('>') || tokens.at(-1) === '>');
}
