import { Grant } from '../../messages/grant.ts';
import type { Signer, Verifier } from './nkey.ts';
import { type Opened, openText, signText } from './signed-text.ts';

/** A grant as it travels, signed by the root. @throws when a field is not valid */
export function issueGrant(grant: Omit<Grant, 'version' | 'issuedAt'>, root: Signer): string {
  return signText('grant', Grant.parse({ version: 1, ...grant, issuedAt: new Date().toISOString() }), root);
}

/** What a root has granted, in this environment. Never throws. */
export function readGrant(text: string, environment: string, roots: readonly Verifier[]): Opened<Grant> {
  const opened = openText('grant', Grant, text, roots);
  if (!opened.ok || opened.value.environment === environment) return opened;
  return { ok: false, reason: `it is for environment '${opened.value.environment}'` };
}
