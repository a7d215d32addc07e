import { ROLE_SCOPE, type Role } from '../roles.ts';
import type { RequestRow } from '../rows.ts';
import type { WireBucket } from './wire.ts';

/** Which roles may send on a subject, and how far. */
export function senders(roles: readonly Role[], template: string): string {
  return roles.map((role) => `${role}${limitOf(role, template)}`).join(', ');
}

/** A role that owns the token behind the family's name may fill it with its own id only. */
function limitOf(role: Role, template: string): string {
  const scope = ROLE_SCOPE[role];
  return scope !== undefined && template.split('.')[1] === `{${scope}}` ? ` (its own ${scope} only)` : '';
}

export function hearers(roles: readonly Role[]): string {
  return roles.join(', ');
}

export function responder({ responder: role, template, queue }: RequestRow): string {
  return queue === undefined ? senders([role], template) : `one ${role} of the queue group \`${queue}\``;
}

export function bucketWriters({ bucket }: WireBucket): string {
  return [
    ...bucket.writers.map((role) => (role === 'agent' && bucket.keyedByHost ? `${role} (its own host only)` : role)),
    ...bucket.deleters.map((role) => `${role} (deletes only)`),
  ].join(', ');
}
