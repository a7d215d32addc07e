import type { z } from 'zod';
import { NONE } from './ids.ts';
import { AlertEvent } from './messages/alert.ts';
import { Lease } from './messages/component.ts';
import { Verdict } from './messages/probe.ts';
import { InstanceStatus, ServiceSpecEntry } from './messages/service.ts';
import { ConfigEntry, Maintenance, Notified, Session, Silence, Token, User, View } from './messages/stored.ts';
import type { Role } from './roles.ts';

/** One KV bucket: the last value of each key, so that whoever arrives late is up to date at once. */
export interface Bucket<S extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly schema: S;
  readonly history: number;
  readonly writers: readonly Role[];
  /** Who else deletes entries, of senders that are gone. The server cannot tell a deletion from a write. */
  readonly deleters: readonly Role[];
  readonly readers: readonly Role[];
  /** Single keys that probers write in a bucket of others. */
  readonly proberKeys: readonly string[];
  /** Agents write below their own host only: the key's first token. */
  readonly keyedByHost: boolean;
}

const READERS: readonly Role[] = ['prober', 'dashboard', 'operator', 'admin'];

function bucket<S extends z.ZodType>(
  name: string,
  schema: S,
  writers: readonly Role[],
  options: Partial<Pick<Bucket, 'history' | 'readers' | 'deleters' | 'proberKeys' | 'keyedByHost'>> = {},
): Bucket<S> {
  return {
    name,
    schema,
    writers,
    deleters: [],
    history: 1,
    readers: READERS,
    proberKeys: [],
    keyedByHost: false,
    ...options,
  };
}

export const buckets = {
  specs: bucket('specs', ServiceSpecEntry, ['agent'], { keyedByHost: true, deleters: ['prober'] }),
  status: bucket('status', InstanceStatus, ['agent'], { keyedByHost: true, deleters: ['prober'] }),
  health: bucket('health', Verdict, ['prober']),
  alerts: bucket('alerts', AlertEvent, ['prober']),
  leases: bucket('leases', Lease, ['prober']),
  notified: bucket('notified', Notified, ['prober']),
  silences: bucket('silences', Silence, ['prober', 'dashboard', 'operator', 'admin']),
  maintenance: bucket('maintenance', Maintenance, ['prober', 'dashboard', 'operator', 'admin']),
  config: bucket('config', ConfigEntry, ['dashboard', 'operator', 'admin'], {
    history: 32,
    proberKeys: ['incarnation', 'revocations'],
  }),
  users: bucket('users', User, ['dashboard', 'admin'], { readers: ['dashboard', 'admin'] }),
  tokens: bucket('tokens', Token, ['dashboard', 'admin'], { readers: ['dashboard', 'admin'] }),
  sessions: bucket('sessions', Session, ['dashboard', 'admin'], { readers: ['dashboard', 'admin'] }),
  views: bucket('views', View, ['dashboard', 'admin'], { readers: ['dashboard', 'admin'] }),
} as const satisfies Record<string, Bucket>;
export type BucketName = keyof typeof buckets;
export type ValueOf<B extends BucketName> = z.infer<(typeof buckets)[B]['schema']>;

/** `muster_<env>_status`. */
export function bucketName(env: string, name: BucketName): string {
  return `muster_${env}_${name}`;
}

/** Keys of the buckets. Ids have no dots, so a key is read back by splitting. */
export const keys = {
  spec: (host: string, service: string) => `${host}.${service}.${NONE}`,
  instance: (host: string, service: string, instance: number) => `${host}.${service}.${instance}`,
  alert: (host: string, service: string, rule: string) => `${host}.${service}.${rule}`,
  lease: (kind: string, id: string) => `${kind}.${id}`,
  /** In `config`: the list of revoked keys. */
  revocations: () => 'revocations',
  /** In `config`: which life of the bus's store this is. */
  incarnation: () => 'incarnation',
} as const;
