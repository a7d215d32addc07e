import type { Grant } from '../../messages/grant.ts';
import type { Role } from '../../roles.ts';
import { parseCredentials } from './credentials-file.ts';
import { readGrant } from './grant.ts';
import { type Signer, signerFrom, type Verifier, verifierFrom } from './nkey.ts';
import type { Opened } from './signed-text.ts';

/** All that an identity needs in order to sign what it says, and to check what others sign. */
export interface Trust {
  readonly signer: Signer;
  readonly grant: Grant;
  readonly grantText: string;
  readonly roots: readonly Verifier[];
}

const REMEDY = "run 'muster bus keys' where the keys of the bus are, and use the file that it makes";

/** What a creds file makes of its bearer; else why it makes nothing of it, and what would do. Never throws. */
export function readTrust(
  text: string | undefined,
  { environment, role, id }: { readonly environment: string; readonly role: Role; readonly id: string },
): Opened<Trust> {
  if (text === undefined) return untrusted('there are no credentials');
  const { seed, grant: grantText, roots: rootKeys } = parseCredentials(text);
  if (grantText === undefined || rootKeys.length === 0) return untrusted('the credentials hold no grant');
  try {
    const signer = signerFrom(seed);
    const roots = rootKeys.map(verifierFrom);
    const opened = readGrant(grantText, environment, roots);
    if (!opened.ok) return untrusted(`the grant in the credentials does not count: ${opened.reason}`);
    const grant = opened.value;
    if (grant.key !== signer.publicKey || grant.role !== role || grant.id !== id) {
      return untrusted(`the grant in the credentials is for ${grant.role}/${grant.id}, not for this ${role}/${id}`);
    }
    return { ok: true, value: { signer, grant, grantText, roots } };
  } catch (error) {
    return untrusted(`the credentials cannot be read: ${(error as Error).message}`);
  }
}

function untrusted(reason: string): Opened<Trust> {
  return { ok: false, reason: `${reason}: ${REMEDY}` };
}
