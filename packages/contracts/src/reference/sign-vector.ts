import { type Signer } from '../bus/trust/nkey.ts';
import { bytesToSign } from '../bus/trust/signed-text.ts';
import { GRANT_HEADER, SIGNATURE_HEADER } from '../messages/command.ts';

export interface SignedVector {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** What was signed, in base64. */
  readonly signedBytes: string;
}

export function signed(
  signer: Signer,
  grant: string,
  purpose: 'request' | 'reply' | 'message',
  head: string,
  body: string,
): SignedVector {
  const bytes = bytesToSign(purpose, head, Buffer.from(body));
  return {
    headers: { [SIGNATURE_HEADER]: signer.sign(bytes), [GRANT_HEADER]: grant },
    body,
    signedBytes: Buffer.from(bytes).toString('base64'),
  };
}

/** Of a text that is signed by itself. */
export function signedText(purpose: 'grant' | 'person' | 'revocations', text: string, { publicKey }: Signer) {
  const [payload = ''] = text.split('.');
  return {
    signedBy: publicKey,
    signedBytes: Buffer.from(bytesToSign(purpose, payload, Buffer.alloc(0))).toString('base64'),
  };
}
