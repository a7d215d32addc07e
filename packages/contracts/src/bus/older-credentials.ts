import { permissionsFor } from '../permissions.ts';
import type { Role } from '../roles.ts';
import { notGranted, readCredentialClaims } from './credentials.ts';

/**
 * What to do about credentials whose rights are those of an older version, as a host has that joined before; `undefined` for
 * those of today. The server goes by what they say, so whoever uses them asks and is not heard, or may do too much.
 */
export function whyOlder(
  credentials: string,
  { environment, role, id }: { readonly environment: string; readonly role: Role; readonly id: string },
): string | undefined {
  const { publish, subscribe, mayRespondAnywhere } = readCredentialClaims(credentials) ?? {};
  if (publish === undefined || subscribe === undefined) return undefined;
  const needed = permissionsFor(environment, role, id);
  const missing = [...notGranted(publish, needed.publish), ...notGranted(subscribe, needed.subscribe)];
  if (missing.length === 0 && !mayRespondAnywhere) return undefined;
  const remedy =
    role === 'agent'
      ? `have 'muster host add ${id} --keep-key' run on the host that runs the bus, and 'muster join --replace' here`
      : "run 'muster bus keys' where the keys of the bus are, and use the file that it makes";
  const lack = missing.length === 0 ? 'may answer anywhere' : `lack ${missing.length} rights, such as '${missing[0]}'`;
  return `the credentials of ${role}/${id} are of an older version and ${lack}: ${remedy}`;
}
