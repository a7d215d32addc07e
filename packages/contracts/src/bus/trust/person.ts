/*
 * People behind a dashboard: root → the dashboard's grant, which says up to what it may delegate → the person's grant, which
 * the dashboard signs. Whoever answers checks the whole chain, so a dashboard can hand out less than it has, and never more.
 */
import { type Grant, PersonGrant } from '../../messages/grant.ts';
import { isPersonRoleEnough, type PersonRole } from '../../roles.ts';
import type { Signer, Verifier } from './nkey.ts';
import { type Opened, openText, signText } from './signed-text.ts';

/** For whom a dashboard speaks, and until when. */
export type PersonClaims = Omit<PersonGrant, 'version' | 'environment' | 'issuedAt'>;

/** A person's grant as it travels, signed by the dashboard. @throws when a field is not valid */
export function issuePersonGrant(claims: PersonClaims, environment: string, signer: Signer): string {
  const issuedAt = new Date().toISOString();
  return signText('person', PersonGrant.parse({ version: 1, environment, ...claims, issuedAt }), signer);
}

/** For whom `grant`, whose key is given, vouches with this text. Never throws. */
export function readPersonGrant(text: string, grant: Grant, key: Verifier): Opened<PersonGrant> {
  const opened = openText('person', PersonGrant, text, [key]);
  if (!opened.ok) return opened;
  const { environment, role, hosts } = opened.value;
  if (environment !== grant.environment) return no(`it is for environment '${environment}'`);
  if (grant.delegates === undefined) return no(`${grant.role}/${grant.id} may not speak for people`);
  if (!isPersonRoleEnough(grant.delegates, role)) {
    return no(`${grant.role}/${grant.id} may speak for people up to ${grant.delegates}, not ${role}`);
  }
  const isWider = grant.hosts !== 'all' && (hosts === 'all' || hosts.some((host) => !grant.hosts.includes(host)));
  if (isWider) return no(`it names hosts that ${grant.role}/${grant.id} is not granted`);
  return opened;
}

/** Why this person may not ask what takes `least`; `undefined` when they may. `nowMs` is the clock of who answers. */
export function whyNotPerson(
  { who, role, expiresAt }: PersonGrant,
  least: PersonRole | undefined,
  nowMs: number,
): string | undefined {
  if (Date.parse(expiresAt) <= nowMs) return `what was granted to ${who} has ended at ${expiresAt}: sign in again`;
  if (least === undefined) return `${who} may not ask this: only programs do`;
  if (isPersonRoleEnough(role, least)) return undefined;
  return `${who} may not ask this: it takes the role ${least}, and theirs is ${role}`;
}

function no(reason: string): Opened<PersonGrant> {
  return { ok: false, reason };
}
