import type { z } from 'zod';
import { MAX_INSTANCES_PER_HOST, MAX_SERVICES_PER_HOST } from './bounds.ts';
import { MAX_MESSAGE_BYTES } from './envelope.ts';
import { NONE } from './ids.ts';
import { AlertEvent } from './messages/alert.ts';
import { Lease } from './messages/component.ts';
import { Verdict } from './messages/probe.ts';
import { InstanceStatus, ServiceSpecEntry } from './messages/service.ts';
import { ConfigEntry, Maintenance, Notified, Session, Silence, Token, User, View } from './messages/stored.ts';
import { ALERT_NAMES, type Names, namesOf } from './names.ts';
import type { Role } from './roles.ts';
import { FLOOD_HEADROOM_BYTES } from './streams.ts';

/** One KV bucket: the last value of each key, so that whoever arrives late is up to date at once. */
export interface Bucket<S extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly schema: S;
  /** What its keys are made of, as the template of a subject; absent where nothing is kept yet. */
  readonly key?: string;
  /** Of one host, where keys begin with it: who watches takes no more of them, and counts the rest. */
  readonly maxKeysPerHost?: number;
  /** What a value says again of its key. */
  readonly names: Names;
  /** A value, without its headers, may not be larger than this; both ends see to it. */
  readonly maxBytes: number;
  /**
   * How much all of it may store. Where agents write there is room for a flood beside the use; other buckets are written by
   * the few who could take the whole bus from everybody anyway.
   */
  readonly storeBytes: number;
  /** Nothing of Muster's own reads or writes it yet, and until something does it may still change. */
  readonly isReserved: boolean;
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
/** Whose business it is who may sign in. */
const SIGN_IN: readonly Role[] = ['dashboard', 'admin'];

const KIB = 1024;
const MIB = 1024 * KIB;

interface BucketOptions
  extends Partial<
    Pick<Bucket, 'history' | 'readers' | 'deleters' | 'proberKeys' | 'keyedByHost' | 'key' | 'maxKeysPerHost'>
  > {
  /** What a value says of its key beside what its fields are called. */
  readonly names?: Names;
}

function bucket<S extends z.ZodType>(
  name: string,
  schema: S,
  maxBytes: number,
  storeBytes: number,
  writers: readonly Role[],
  { names, ...options }: BucketOptions = {},
): Bucket<S> {
  const probers: readonly Role[] = options.proberKeys === undefined ? [] : ['prober'];
  const all = namesOf(options.key ?? '', schema, [...writers, ...probers], names);
  const usual = { deleters: [], history: 1, readers: READERS, proberKeys: [], keyedByHost: false, isReserved: false };
  return { name, schema, maxBytes, storeBytes, writers, names: all, ...usual, ...options };
}

function reserved<S extends z.ZodType>(of: Bucket<S>): Bucket<S> {
  return { ...of, isReserved: true };
}

const INSTANCE_KEY = '{host}.{service}.{instance}';

export const buckets = {
  specs: bucket('specs', ServiceSpecEntry, 64 * KIB, 256 * MIB + FLOOD_HEADROOM_BYTES, ['agent'], {
    key: `{host}.{service}.${NONE}`,
    maxKeysPerHost: MAX_SERVICES_PER_HOST,
    keyedByHost: true,
    deleters: ['prober'],
  }),
  status: bucket('status', InstanceStatus, 12 * KIB, 256 * MIB + FLOOD_HEADROOM_BYTES, ['agent'], {
    key: INSTANCE_KEY,
    maxKeysPerHost: MAX_INSTANCES_PER_HOST,
    keyedByHost: true,
    deleters: ['prober'],
  }),
  health: bucket('health', Verdict, 16 * KIB, 256 * MIB, ['prober'], {
    key: INSTANCE_KEY,
    maxKeysPerHost: MAX_INSTANCES_PER_HOST,
  }),
  alerts: bucket('alerts', AlertEvent, 32 * KIB, 128 * MIB, ['prober'], {
    key: '{host}.{service}.{rule}',
    maxKeysPerHost: MAX_INSTANCES_PER_HOST,
    names: ALERT_NAMES,
  }),
  leases: bucket('leases', Lease, 2 * KIB, 16 * MIB, ['prober'], {
    key: '{kind}.{name}',
    names: { source: 'prober/{holder}' },
  }),
  notified: reserved(bucket('notified', Notified, 4 * KIB, 64 * MIB, ['prober'])),
  silences: reserved(bucket('silences', Silence, 16 * KIB, 32 * MIB, ['prober', 'dashboard', 'operator', 'admin'])),
  maintenance: reserved(
    bucket('maintenance', Maintenance, 16 * KIB, 32 * MIB, ['prober', 'dashboard', 'operator', 'admin']),
  ),
  config: bucket('config', ConfigEntry, MAX_MESSAGE_BYTES, 256 * MIB, ['dashboard', 'operator', 'admin'], {
    key: '{kind}',
    history: 32,
    proberKeys: ['incarnation', 'revocations'],
  }),
  users: reserved(bucket('users', User, 16 * KIB, 32 * MIB, SIGN_IN, { readers: SIGN_IN })),
  tokens: reserved(bucket('tokens', Token, 16 * KIB, 32 * MIB, SIGN_IN, { readers: SIGN_IN })),
  sessions: reserved(bucket('sessions', Session, 4 * KIB, 64 * MIB, SIGN_IN, { readers: SIGN_IN })),
  views: reserved(bucket('views', View, 16 * KIB, 64 * MIB, SIGN_IN, { readers: SIGN_IN })),
} as const satisfies Record<string, Bucket>;
export type BucketName = keyof typeof buckets;
export type ValueOf<B extends BucketName> = z.infer<(typeof buckets)[B]['schema']>;

/** `muster_<env>_status`. */
export function bucketName(env: string, name: BucketName): string {
  return `muster_${env}_${name}`;
}

/** The stream under a bucket, by the bucket's name on the server. */
export function kvStream(bucket: string): string {
  return `KV_${bucket}`;
}

const KV_ROOT = '$KV.';

/** The subject of a key, or of all keys that a filter names. */
export function kvSubject(bucket: string, key: string): string {
  return `${KV_ROOT}${bucket}.${key}`;
}

/** The bucket's name on the server, and the tokens of the key; `undefined` when the subject is no key's. */
export function kvTokens(subject: string): readonly string[] | undefined {
  return subject.startsWith(KV_ROOT) ? subject.slice(KV_ROOT.length).split('.') : undefined;
}

/** Keys of the buckets. Ids have no dots, so a key is read back by splitting. */
export const keys = {
  spec: (host: string, service: string) => `${host}.${service}.${NONE}`,
  instance: (host: string, service: string, instance: number) => `${host}.${service}.${instance}`,
  alert: (host: string, service: string, rule: string) => `${host}.${service}.${rule}`,
  lease: (kind: string, name: string) => `${kind}.${name}`,
  /** In `config`: the list of revoked keys. */
  revocations: () => 'revocations',
  /** In `config`: which life of the bus's store this is. */
  incarnation: () => 'incarnation',
} as const;
