/*
 * Looks at a bus without changing it: what the server is, and whether its streams and buckets are as they must be.
 */
import type { ConsumerInfo, JetStreamAccountStats, PeerInfo, StreamInfo } from '@nats-io/jetstream';
import { notGranted } from '../bus/credentials.ts';
import { NoStreamError, RequestTimeoutError, StoreRefusedError } from '../bus/errors.ts';
import type { NatsBus } from '../bus/nats-bus.ts';
import { permissionsFor } from '../permissions.ts';
import type { RetentionChanges } from '../streams.ts';
import { differencesOf, layoutOf } from './setup.ts';
import { LAYOUT_VERSION, wantedStreams } from './wanted-streams.ts';

const NANOS_PER_MS = 1_000_000;

/** One more server that keeps a stream, beside the one that leads it. */
export interface CopyInspection {
  readonly server: string;
  readonly isOffline: boolean;
  /** Since the leader heard of it last. */
  readonly silentMs: number;
  /** How many operations it lacks. */
  readonly lag: number;
}

export interface StreamInspection {
  readonly name: string;
  /** `silent`: it is there, and nobody answers for it. */
  readonly state: 'as-defined' | 'missing' | 'different' | 'newer' | 'silent';
  /** What is different, which layout it has, or why it is silent. */
  readonly details: readonly string[];
  /** In a cluster: who stores for it. Nobody does while most of its servers are away. */
  readonly leader: string | undefined;
  /** Where it is kept once more; none for a stream that is kept once. Without a leader all that keep it. */
  readonly copies: readonly CopyInspection[];
  readonly messages: number;
  readonly bytes: number;
  /** -1 where there is no bound. */
  readonly maxBytes: number;
}

/**
 * Every stream and bucket that this role may look at, in the order of the set-up. `retention`: what they are to keep, where
 * it is not the default. @throws as `callJetStream`
 */
export async function inspectStreams(bus: NatsBus, retention?: RetentionChanges): Promise<readonly StreamInspection[]> {
  return await Promise.all(visibleStreams(bus, retention).map((wanted) => inspectStream(bus, wanted)));
}

/** What `bus` may ask about. None for a role without JetStream. */
function visibleStreams(
  { environment, role, id }: NatsBus,
  retention?: RetentionChanges,
): ReturnType<typeof wantedStreams> {
  const { publish } = permissionsFor(environment, role, id);
  return wantedStreams(environment, retention === undefined ? {} : { retention }).filter(
    ({ name }) => notGranted(publish, [`$JS.API.STREAM.INFO.${name}`]).length === 0,
  );
}

async function inspectStream(
  bus: NatsBus,
  wanted: ReturnType<typeof wantedStreams>[number],
): Promise<StreamInspection> {
  const { name } = wanted;
  try {
    const { config, state, cluster } = await bus.callJetStream<StreamInfo>(`STREAM.INFO.${name}`);
    const size = {
      messages: state.messages,
      bytes: state.bytes,
      maxBytes: config.max_bytes,
      leader: cluster?.leader || undefined,
      copies: (cluster?.replicas ?? []).map(copyOf),
    };
    const layout = layoutOf(config);
    if (layout > LAYOUT_VERSION) return { name, state: 'newer', details: [`layout ${layout}`], ...size };
    const details = differencesOf(config, wanted);
    return { name, state: details.length === 0 ? 'as-defined' : 'different', details, ...size };
  } catch (error) {
    const nothing = { name, leader: undefined, copies: [], messages: 0, bytes: 0, maxBytes: -1 };
    if (error instanceof NoStreamError && error.isJetStreamThere) return { ...nothing, state: 'missing', details: [] };
    // A cluster that has lost most of the servers of a stream says so in words, or nothing.
    if (error instanceof StoreRefusedError) return { ...nothing, state: 'silent', details: [error.reason] };
    if (error instanceof RequestTimeoutError) return { ...nothing, state: 'silent', details: ['no word of it'] };
    throw error;
  }
}

function copyOf({ name, offline, active, lag }: PeerInfo): CopyInspection {
  // The server leaves out what is 0.
  return { server: name, isOffline: offline ?? false, silentMs: (active ?? 0) / NANOS_PER_MS, lag: lag ?? 0 };
}

/** Who reads a stream, and how far behind. */
export interface ConsumerInspection {
  readonly stream: string;
  /** `dashboard/main`, where it is one of Muster's programs; else the consumer's own name. */
  readonly reader: string;
  /** Stored, and not delivered yet. */
  readonly pending: number;
  /** Delivered, and not acknowledged yet; 0 where nothing is to be acknowledged, as with Muster's own. */
  readonly unacknowledged: number;
}

/** Everybody who reads a stream or bucket now; `undefined` when this role may not ask. @throws as `callJetStream` */
export async function inspectConsumers(bus: NatsBus): Promise<readonly ConsumerInspection[] | undefined> {
  const { publish } = permissionsFor(bus.environment, bus.role, bus.id);
  const streams = visibleStreams(bus).map(({ name }) => name);
  if (streams.length === 0 || notGranted(publish, streams.map(consumerList)).length > 0) return undefined;
  return (await Promise.all(streams.map((stream) => consumersOf(bus, stream)))).flat();
}

function consumerList(stream: string): string {
  return `$JS.API.CONSUMER.LIST.${stream}`;
}

async function consumersOf(bus: NatsBus, stream: string): Promise<readonly ConsumerInspection[]> {
  const found: ConsumerInspection[] = [];
  for (;;) {
    const page = await bus
      .callJetStream<ConsumerPage>(`CONSUMER.LIST.${stream}`, { offset: found.length })
      .catch(ifNoSuchStream);
    const consumers = page?.consumers ?? [];
    found.push(...consumers.map((info) => consumerOf(stream, info)));
    if (consumers.length === 0 || found.length >= (page?.total ?? 0)) return found;
  }
}

interface ConsumerPage {
  readonly total: number;
  readonly consumers: readonly ConsumerInfo[] | null;
}

/** What is wrong with the stream is told of the stream. */
function ifNoSuchStream(error: unknown): undefined {
  if (error instanceof NoStreamError || error instanceof StoreRefusedError) return undefined;
  throw error;
}

function consumerOf(stream: string, info: ConsumerInfo): ConsumerInspection {
  const { name, config, num_pending: pending, num_ack_pending: unacknowledged } = info;
  const [, role, id] = /^_INBOX\.([^.]+)\.([^.]+)\./.exec(config.deliver_subject ?? '') ?? [];
  return { stream, reader: role === undefined ? name : `${role}/${id}`, pending, unacknowledged };
}

export interface StoreInspection {
  readonly usedBytes: number;
  /** -1 where the account has no limit of its own. */
  readonly maxBytes: number;
}

/** What JetStream stores for this account. @throws NoStreamError when there is no JetStream; as `callJetStream` */
export async function inspectStore(bus: NatsBus): Promise<StoreInspection> {
  const { storage, limits } = await bus.callJetStream<JetStreamAccountStats>('INFO');
  return { usedBytes: storage, maxBytes: limits.max_storage };
}

/**
 * How far the server's clock is ahead of ours, in ms, to within half a round trip; `undefined` when this role can't ask.
 * The server stamps whoever reads a stream with the time of its creation.
 */
export async function measureClockOffset(bus: NatsBus): Promise<number | undefined> {
  const [stream] = visibleStreams(bus);
  if (stream === undefined) return undefined;
  const sentAtMs = Date.now();
  const { name, created } = await bus.callJetStream<ConsumerInfo>(`CONSUMER.CREATE.${stream.name}`, {
    stream_name: stream.name,
    config: {
      ack_policy: 'explicit',
      deliver_policy: 'new',
      inactive_threshold: 1_000 * NANOS_PER_MS,
      mem_storage: true,
      num_replicas: 1,
    },
  });
  const heardAtMs = Date.now();
  await bus.callJetStream(`CONSUMER.DELETE.${stream.name}.${name}`);
  return Date.parse(created) - (sentAtMs + heardAtMs) / 2;
}
