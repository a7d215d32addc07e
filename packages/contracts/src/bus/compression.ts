import { promisify } from 'node:util';
import { constants, gunzipSync, gzip } from 'node:zlib';
import { MAX_MESSAGE_BYTES } from '../envelope.ts';

/** Says how the body is compressed; a body without it is not. */
export const ENCODING_HEADER = 'Muster-Encoding';
const GZIP = 'gzip';
/** Below this a message travels as it is: little is gained. */
const WORTHWHILE_BYTES = 1_024;

const compress = promisify(gzip);

/** A payload as it travels, with the headers that say so. */
export interface Packed {
  readonly payload: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Compresses what is large enough, off this thread. */
export async function pack(payload: Uint8Array): Promise<Packed> {
  if (payload.length < WORTHWHILE_BYTES) return { payload, headers: {} };
  const packed = await compress(payload, { level: constants.Z_BEST_SPEED });
  return { payload: packed, headers: { [ENCODING_HEADER]: GZIP } };
}

/** What was packed. A small body may unfold to no more than a message may have. @throws Error that says what is wrong */
export function unpack(payload: Uint8Array, encoding: string): Uint8Array {
  if (encoding === '') return payload;
  if (encoding !== GZIP) throw new Error(`its encoding '${encoding}' is not known here`);
  return gunzipSync(payload, { maxOutputLength: MAX_MESSAGE_BYTES });
}
