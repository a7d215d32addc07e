import { createHash } from 'node:crypto';

/** Of all keys that an agent keeps in buckets, as its presence says it: differs when the set of keys does. */
export function keysDigest(keys: Iterable<string>): string {
  return createHash('sha256')
    .update([...keys].sort().join('\n'))
    .digest('hex')
    .slice(0, 16);
}
