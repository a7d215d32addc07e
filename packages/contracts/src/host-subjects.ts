import { type BucketName, bucketName, buckets, kvStream, kvSubject, kvTokens } from './buckets.ts';
import { STREAM_NAMES, streamName } from './streams.ts';
import { buildSubtree, withoutRoot } from './subject.ts';

/** One place where agents write, each below its own host only. */
export interface HostStore {
  /** Of the stream, or of the one under a bucket. */
  readonly stream: string;
  /** All that one host may have there. */
  readonly filters: (host: string) => readonly string[];
  /** All that is of one of its services. */
  readonly serviceFilters: (host: string, service: string) => readonly string[];
}

/** Every stream and bucket that agents write to: who floods invents subjects there. */
export function hostStores(env: string): readonly HostStore[] {
  const ofHosts = (Object.keys(buckets) as BucketName[]).filter((name) => buckets[name].keyedByHost);
  return [
    ...STREAM_NAMES.filter((name) => name !== 'alerts').map((name) => ({
      stream: streamName(env, name),
      filters: (host: string) => [buildSubtree(env, ['host', host]), buildSubtree(env, ['service', host])],
      serviceFilters: (host: string, service: string) => [buildSubtree(env, ['service', host, service])],
    })),
    ...ofHosts.map((name) => ({
      stream: kvStream(bucketName(env, name)),
      filters: (host: string) => [kvSubject(bucketName(env, name), `${host}.>`)],
      serviceFilters: (host: string, service: string) => [kvSubject(bucketName(env, name), `${host}.${service}.>`)],
    })),
  ];
}

/** Where a monitor writes, and all that one may have there. */
export function monitorStores(
  env: string,
): readonly { readonly stream: string; readonly filter: (monitor: string) => string }[] {
  return STREAM_NAMES.filter((name) => name === 'probes' || name.startsWith('rollup-')).map((name) => ({
    stream: streamName(env, name),
    filter: (monitor) => buildSubtree(env, ['monitor', monitor]),
  }));
}

/** Who has published it, of those who are metered: `agent/web1` or `monitor/sonde`. Nothing for the few who may fill the store anyway. */
export function meteredSender(env: string, subject: string): string | undefined {
  const host = hostOfSubject(env, subject)?.host;
  if (host !== undefined) return `agent/${host}`;
  const [family, monitor] = withoutRoot(env, subject).split('.');
  return family === 'monitor' && monitor !== undefined ? `monitor/${monitor}` : undefined;
}

/** Which host's agent has published it, and about which service; nothing for what others publish. */
export function hostOfSubject(env: string, subject: string): { host: string; service?: string } | undefined {
  const tokens = kvTokens(subject) ?? withoutRoot(env, subject).split('.');
  const [family = '', host, service] = tokens;
  if (host === undefined) return undefined;
  if (family === 'host') return { host };
  const isOfHosts = (Object.keys(buckets) as BucketName[]).some(
    (name) => buckets[name].keyedByHost && bucketName(env, name) === family,
  );
  if (family !== 'service' && !isOfHosts) return undefined;
  return { host, ...(service !== undefined && { service }) };
}
