import type { z } from 'zod';
import { MAX_MESSAGE_BYTES } from '../envelope.ts';
import { type Names, type NameValues, whyForeign } from '../names.ts';
import type { Row } from '../rows.ts';
import { pack, unpack } from './encoding.ts';
import { InvalidMessageError, issuesOf, MessageTooLargeError } from './errors.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * A message as it travels. What the schema does not name is left out.
 * @throws InvalidMessageError, MessageTooLargeError
 */
export function encodeMessage<S extends z.ZodType>(
  schema: S,
  subject: string,
  message: z.input<S>,
  maxBytes: number = MAX_MESSAGE_BYTES,
): Uint8Array {
  const checked = schema.safeParse(message);
  if (!checked.success) throw new InvalidMessageError(subject, issuesOf(checked.error));
  const bytes = encoder.encode(JSON.stringify(checked.data));
  if (bytes.length > maxBytes) throw new MessageTooLargeError(subject, bytes.length, maxBytes);
  return bytes;
}

/** What speaks for somebody else is not sent. @throws InvalidMessageError */
export function refuseForeign(names: Names, values: NameValues, subject: string, message: unknown): void {
  const why = whyForeign(names, values, message);
  if (why !== undefined) throw new InvalidMessageError(subject, [why]);
}

/** A message as its row's stream keeps it: packed, where the row says so. @throws as `encodeMessage` */
export function encodeForStream<S extends z.ZodType>(
  { schema, encoding, maxBytes }: Pick<Row<string, S>, 'schema' | 'encoding' | 'maxBytes'>,
  subject: string,
  message: z.input<S>,
): Uint8Array {
  const bytes = encodeMessage(schema, subject, message, maxBytes);
  return encoding === undefined ? bytes : pack(bytes);
}

export type Decoded<T> =
  | { readonly ok: true; readonly message: T }
  | { readonly ok: false; readonly kind: 'malformed' | 'oversize'; readonly reason: string };

/** How what came from outside is read. */
export interface DecodeOptions {
  /** What its header says, if any. */
  readonly encoding?: string | undefined;
  /** Unpacked; default as large as any message may be. */
  readonly maxBytes?: number;
}

/** Reads what came from outside. Never throws. */
export function decodeMessage<S extends z.ZodType>(
  schema: S,
  bytes: Uint8Array,
  { encoding = '', maxBytes = MAX_MESSAGE_BYTES }: DecodeOptions = {},
): Decoded<z.output<S>> {
  if (bytes.length > maxBytes) {
    return { ok: false, kind: 'oversize', reason: `${bytes.length} bytes, at most ${maxBytes} are allowed` };
  }
  let json: unknown;
  try {
    json = JSON.parse(decoder.decode(unpack(bytes, encoding, maxBytes)));
  } catch (error) {
    return { ok: false, ...unreadable(error as NodeJS.ErrnoException, encoding, maxBytes) };
  }
  const checked = schema.safeParse(json);
  if (!checked.success) return { ok: false, kind: 'malformed', reason: issuesOf(checked.error).join('; ') };
  return { ok: true, message: checked.data };
}

function unreadable({ code, message }: NodeJS.ErrnoException, encoding: string, maxBytes: number) {
  if (code === 'ERR_BUFFER_TOO_LARGE') {
    return { kind: 'oversize', reason: `unpacks to more than ${maxBytes} bytes` } as const;
  }
  return { kind: 'malformed', reason: encoding === '' ? `not JSON: ${message}` : `not readable: ${message}` } as const;
}
