/*
 * Every stream and bucket as it must be on the server. Each has a bound of bytes, of one message, and of what one subject keeps:
 * a bound per subject limits nobody who invents subjects, which is what the guard is for.
 */
import type { StreamConfig } from '@nats-io/jetstream';
import { type BucketName, bucketName, buckets, kvStream, kvSubject } from '../buckets.ts';
import { MAX_HEADER_BYTES } from '../envelope.ts';
import { type StreamDefinition, streamDefinitions } from '../stream-definitions.ts';
import { FLOOD_HEADROOM_BYTES, type RetentionChanges } from '../streams.ts';

const NANOS_PER_SECOND = 1_000_000_000;
const DUPLICATE_WINDOW_SECONDS = 120;
/** The layout that this program makes. */
export const LAYOUT_VERSION = 2;

export interface SetupOptions {
  /** On how many servers of a cluster each stream lives; default: as they are, and 1 for a new one. */
  readonly replicas?: number;
  /** What the streams keep, where it is not the default. */
  readonly retention?: RetentionChanges;
}

/** What this program defines of a stream; everything else is left to the server, or to who changed it. */
export type WantedStream = Pick<
  StreamConfig,
  | 'name'
  | 'subjects'
  | 'description'
  | 'storage'
  | 'retention'
  | 'discard'
  | 'max_age'
  | 'max_bytes'
  | 'max_msgs'
  | 'max_msg_size'
  | 'max_msgs_per_subject'
  | 'duplicate_window'
  | 'allow_direct'
  | 'allow_rollup_hdrs'
> &
  Partial<Pick<StreamConfig, 'num_replicas'>>;

/** Every stream, those under the buckets included, as it must be. */
export function wantedStreams(environment: string, { replicas, retention }: SetupOptions): readonly WantedStream[] {
  const copies = replicas === undefined ? {} : { num_replicas: replicas };
  return [
    ...streamDefinitions(environment, retention).map((definition) => ({ ...wantedStream(definition), ...copies })),
    ...(Object.keys(buckets) as BucketName[]).map((name) => ({ ...wantedBucket(environment, name), ...copies })),
  ];
}

/** A server counts a byte or so too many where a bound is set that was not there. */
const SPARE_STORE_BYTES = 64 * 1024 ** 2;

/**
 * How much JetStream must be allowed to store. A server refuses a stream whose bound does not fit, however little is in
 * it, and by default allows three quarters of what is free on its disk: less than this on a small one.
 */
export function requiredStoreBytes(environment: string, retention?: RetentionChanges): number {
  return wantedStreams(environment, retention === undefined ? {} : { retention }).reduce(
    (sum, one) => sum + one.max_bytes,
    SPARE_STORE_BYTES,
  );
}

function wantedStream(definition: StreamDefinition): WantedStream {
  const { name, subjects, description, maxAgeSeconds, maxBytes, maxMessageBytes, maxMessagesPerSubject } = definition;
  return {
    ...COMMON,
    name,
    subjects: [...subjects],
    description: `${description} (layout ${LAYOUT_VERSION})`,
    discard: 'old',
    max_age: maxAgeSeconds * NANOS_PER_SECOND,
    max_bytes: maxBytes + FLOOD_HEADROOM_BYTES,
    max_msgs: -1,
    max_msg_size: maxMessageBytes,
    max_msgs_per_subject: maxMessagesPerSubject,
    duplicate_window: DUPLICATE_WINDOW_SECONDS * NANOS_PER_SECOND,
  };
}

function wantedBucket(environment: string, name: BucketName): WantedStream {
  const bucket = bucketName(environment, name);
  return {
    ...COMMON,
    name: kvStream(bucket),
    subjects: [kvSubject(bucket, '>')],
    description: `Muster ${environment}: bucket ${name} (layout ${LAYOUT_VERSION})`,
    // What is full refuses: the oldest entry is somebody's last word, and its loss would be told to nobody.
    discard: 'new',
    max_age: 0,
    max_bytes: buckets[name].storeBytes,
    max_msgs: MAX_KEYS * buckets[name].history,
    max_msg_size: buckets[name].maxBytes + MAX_HEADER_BYTES,
    max_msgs_per_subject: buckets[name].history,
    duplicate_window: DUPLICATE_WINDOW_SECONDS * NANOS_PER_SECOND,
  };
}

/** An index of subjects is memory of the server: 50,000 services with their instances need a tenth. */
const MAX_KEYS = 1_000_000;

/** `Nats-Rollup: all` on a key of one's own would take away the keys of everybody. */
const COMMON = { storage: 'file', retention: 'limits', allow_direct: true, allow_rollup_hdrs: false } as const;
