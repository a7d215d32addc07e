import type { z } from 'zod';
import type { Bucket } from '../buckets.ts';
import { whyForeign } from '../names.ts';
import { matchTokens } from '../subject.ts';
import { decodeMessage } from './codec.ts';
import type { Tally } from './tally.ts';

/** The header that says what an entry without a value means. */
export const KV_OPERATION = 'KV-Operation';

/** Does this entry say that the key is gone? */
export function isDeletion(headers: { get(name: string): string } | undefined): boolean {
  const operation = headers?.get(KV_OPERATION) ?? '';
  return operation === 'DEL' || operation === 'PURGE' || (headers?.get('Nats-Marker-Reason') ?? '') !== '';
}

/** The value of a key as it came; `undefined` for what is none of this bucket, or of another key, which is counted. */
export function readEntry<S extends z.ZodType>(
  bucket: Bucket<S>,
  key: string,
  { subject, data }: { readonly subject: string; readonly data: Uint8Array },
  tally: Tally,
): z.output<S> | undefined {
  const decoded = decodeMessage(bucket.schema, data, bucket);
  if (!decoded.ok) {
    tally.problem(decoded.kind, subject, decoded.reason);
    return undefined;
  }
  const foreign = whyNotOfKey(bucket, key, decoded.message);
  if (foreign === undefined) return decoded.message;
  tally.problem('foreign', subject, foreign);
  return undefined;
}

/** Why a value does not belong to this key of the bucket. */
export function whyNotOfKey(bucket: Bucket, key: string, value: unknown): string | undefined {
  const params = bucket.key === undefined ? {} : matchTokens(bucket.key, key);
  return params === undefined ? `not a key of '${bucket.key}'` : whyForeign(bucket.names, params, value);
}
