/** The header that says what an entry without a value means. */
export const KV_OPERATION = 'KV-Operation';

/** The subject of a key, or of all keys that a filter names. */
export function kvSubject(bucket: string, key: string): string {
  return `$KV.${bucket}.${key}`;
}

/** The stream under a bucket. */
export function kvStream(bucket: string): string {
  return `KV_${bucket}`;
}

/** Does this entry say that the key is gone? */
export function isDeletion(headers: { get(name: string): string } | undefined): boolean {
  const operation = headers?.get(KV_OPERATION) ?? '';
  return operation === 'DEL' || operation === 'PURGE' || (headers?.get('Nats-Marker-Reason') ?? '') !== '';
}
