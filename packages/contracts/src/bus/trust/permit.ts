import { type Asker, whyNotHost } from '../../messages/grant.ts';
import type { RequestRow } from '../../rows.ts';
import { whyNotPerson } from './person.ts';
import type { CheckedRequest } from './signatures.ts';

/** Who proved to have asked may not have been granted to ask this, or of this host. */
export function permit(
  row: RequestRow,
  params: Readonly<Record<string, unknown>>,
  checked: CheckedRequest,
): CheckedRequest {
  if (checked.kind !== 'proven') return checked;
  const { asker, signature } = checked;
  const reason = whyNotAsker(row, asker) ?? whyNotHostOf(asker, params['host']) ?? whyNotBehind(row, asker);
  return reason === undefined ? checked : { kind: 'refused', reason, signature, key: asker.key };
}

/** Nor of a host that the question itself names. */
export function whyNotNamed(row: RequestRow, asker: Asker, request: unknown): string | undefined {
  for (const field of row.hostFields) {
    const reason = whyNotHostOf(asker, (request as Readonly<Record<string, unknown>>)[field]);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function whyNotHostOf(asker: Asker, place: unknown): string | undefined {
  if (typeof place !== 'string') return undefined;
  const [host = ''] = place.split('/');
  return whyNotHost(asker, host);
}

function whyNotAsker({ requesters }: RequestRow, { role, id }: Asker): string | undefined {
  if (requesters.includes(role)) return undefined;
  return `${role}/${id} may not ask this: the roles that may are ${requesters.join(', ')}`;
}

function whyNotBehind({ people }: RequestRow, { person }: Asker): string | undefined {
  return person === undefined ? undefined : whyNotPerson(person, people, Date.now());
}
