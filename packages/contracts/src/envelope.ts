import { z } from 'zod';
import { Epoch, Reference, Seq } from './bounds.ts';
import { ID_PATTERN } from './ids.ts';

/** RFC 3339 in UTC, for display. No decision compares the clocks of two hosts. */
export const Timestamp = z.iso.datetime().max(40);

/** `agent/<host>`, `prober/<id>`, `dashboard/<id>` or `operator/<name>`. */
export const Source = z
  .string()
  .max(100)
  .regex(new RegExp(`^[a-z]{1,32}/${ID_PATTERN.source.slice(1)}`), 'must be a role, / and an id');

/** What every message carries. Readers ignore fields they don't know. */
export const Envelope = z.object({
  /** Minted once and journaled with the message: the same id is the same message. A UUIDv7, or what names the message. */
  id: Reference,
  time: Timestamp,
  /** `agent/<host>`, `prober/<id>`, `dashboard/<id>` or `operator/<name>`. */
  source: Source,
});
export type Envelope = z.infer<typeof Envelope>;

/** An envelope where order matters: by epoch (one per start of the sender), then by seq. */
export const OrderedEnvelope = Envelope.extend({
  epoch: Epoch,
  seq: Seq,
});
export type OrderedEnvelope = z.infer<typeof OrderedEnvelope>;

/** Where a message stands in its sender's own order. */
export interface Position {
  readonly epoch: number;
  readonly seq: number;
}

/** Negative when `a` is older than `b`, 0 when they are the same position. */
export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.seq - b.seq;
}

/** The header that says how the body of a message is encoded; where there is none it is plain JSON. Readers read both. */
export const ENCODING_HEADER = 'Muster-Encoding';
/** `deflate` is the zlib format (RFC 1950), which every language's own library reads; with the bus's preset dictionary. */
export const ENCODINGS = ['deflate'] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** A message, unpacked, may not be larger than this; larger things are cut into parts. */
export const MAX_MESSAGE_BYTES = 512 * 1024;

/** Room for the headers beside a body: a signature, a grant with all the hosts it may name, and what the server needs to know. */
export const MAX_HEADER_BYTES = 8 * 1024;
