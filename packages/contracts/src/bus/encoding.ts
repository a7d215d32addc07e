import { constants, deflateSync, inflateSync } from 'node:zlib';
import { ENCODINGS } from '../envelope.ts';
import { DICTIONARY } from './dictionary.ts';

/** Made smaller by `deflate`, for a message that says so in its `Muster-Encoding` header. */
export function pack(bytes: Uint8Array): Uint8Array {
  return deflateSync(bytes, { level: constants.Z_BEST_COMPRESSION, dictionary: DICTIONARY });
}

/**
 * As it was before `pack`. `encoding` is what the header says; empty where there is none.
 * @throws Error when these bytes were not packed so, or would unpack to more than `maxBytes`
 */
export function unpack(bytes: Uint8Array, encoding: string, maxBytes: number): Uint8Array {
  if (encoding === '') return bytes;
  if (!(ENCODINGS as readonly string[]).includes(encoding)) {
    throw new Error(`encoded as '${encoding}', which is not one of ${ENCODINGS.join(', ')}`);
  }
  return inflateSync(bytes, { maxOutputLength: maxBytes, dictionary: DICTIONARY });
}
