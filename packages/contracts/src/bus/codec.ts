import type { z } from 'zod';
import { MAX_MESSAGE_BYTES } from '../envelope.ts';
import { unpack } from './compression.ts';
import { InvalidMessageError, issuesOf, MessageTooLargeError } from './errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * A message as it travels. What the schema does not name is left out.
 * @throws InvalidMessageError, MessageTooLargeError
 */
export function encodeMessage<S extends z.ZodType>(schema: S, subject: string, message: z.input<S>): Uint8Array {
  const checked = schema.safeParse(message);
  if (!checked.success) throw new InvalidMessageError(subject, checked.error);
  const bytes = encoder.encode(JSON.stringify(checked.data));
  if (bytes.length > MAX_MESSAGE_BYTES) throw new MessageTooLargeError(subject, bytes.length, MAX_MESSAGE_BYTES);
  return bytes;
}

export type Decoded<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly kind: 'malformed' | 'oversize'; readonly reason: string };

/** Reads what came from outside, compressed as its header says. Never throws. */
export function decodeMessage<S extends z.ZodType>(
  schema: S,
  payload: Uint8Array,
  encoding = '',
): Decoded<z.output<S>> {
  let bytes: Uint8Array;
  try {
    bytes = unpack(payload, encoding);
  } catch (error) {
    return { ok: false, kind: 'malformed', reason: `cannot unpack it: ${(error as Error).message}` };
  }
  if (bytes.length > MAX_MESSAGE_BYTES) {
    return { ok: false, kind: 'oversize', reason: `${bytes.length} bytes, at most ${MAX_MESSAGE_BYTES} are allowed` };
  }
  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(bytes));
  } catch (error) {
    return { ok: false, kind: 'malformed', reason: `not JSON: ${(error as Error).message}` };
  }
  const checked = schema.safeParse(json);
  if (!checked.success) return { ok: false, kind: 'malformed', reason: issuesOf(checked.error).join('; ') };
  return { ok: true, message: checked.data };
}
