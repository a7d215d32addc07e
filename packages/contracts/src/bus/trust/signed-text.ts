/*
 * What is signed, and how a signed thing is written.
 *
 * A client proves its key to the server by signing a text of the server's choosing. A false server could choose the text
 * of a command. So everything signed here begins with a byte that no text contains, and then says what it is: a signature
 * for one purpose is worth nothing for another.
 */
import type { z } from 'zod';
import { issuesOf } from '../errors.ts';
import type { Signer, Verifier } from './nkey.ts';

/** What is signed by itself, as one line. */
type TextPurpose = 'grant' | 'person' | 'revocations';
type Purpose = TextPurpose | 'request' | 'reply' | 'message';

/** Never part of UTF-8. */
const NOT_TEXT = Buffer.from([0xff]);

/** The bytes to sign. `head` must hold no line break. */
export function bytesToSign(purpose: Purpose, head: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([NOT_TEXT, Buffer.from(`muster-${purpose}-1\n${head}\n`), body]);
}

/** `<JSON, base64url>.<signature, base64url>`: one line, fit for a header. */
export function signText(purpose: TextPurpose, value: object, signer: Signer): string {
  const payload = Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${payload}.${signer.sign(bytesToSign(purpose, payload, Buffer.alloc(0)))}`;
}

export type Opened<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

/** Reads what one of `signers` has signed: a root, or for a person the dashboard. Never throws. */
export function openText<S extends z.ZodType>(
  purpose: TextPurpose,
  schema: S,
  text: string,
  signers: readonly Verifier[],
): Opened<z.output<S>> {
  const [payload = '', signature = '', ...more] = text.split('.');
  if (more.length > 0 || signature === '') return { ok: false, reason: 'it is not a signed text' };
  const bytes = bytesToSign(purpose, payload, Buffer.alloc(0));
  if (!signers.some((signer) => signer.verifies(bytes, signature))) {
    const who = purpose === 'person' ? 'who brings it' : "this environment's root";
    return { ok: false, reason: `it is not signed by ${who}` };
  }
  try {
    const checked = schema.safeParse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    return checked.success
      ? { ok: true, value: checked.data }
      : { ok: false, reason: issuesOf(checked.error).join('; ') };
  } catch (error) {
    return { ok: false, reason: `not JSON: ${(error as Error).message}` };
  }
}
