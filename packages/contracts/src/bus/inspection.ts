/*
 * Looks at a bus without changing it: what the server is, and whether its streams and buckets are as they must be.
 */
import type { ConsumerInfo, JetStreamAccountStats, StreamInfo } from '@nats-io/jetstream';
import { permissionsFor } from '../permissions.ts';
import type { RetentionChanges } from '../streams.ts';
import { notGranted } from './credentials.ts';
import { NoStreamError } from './errors.ts';
import type { NatsBus } from './nats-bus.ts';
import { differencesOf, LAYOUT_VERSION, layoutOf, wantedStreams } from './setup.ts';

const NANOS_PER_MS = 1_000_000;

export interface StreamInspection {
  readonly name: string;
  readonly state: 'as-defined' | 'missing' | 'different' | 'newer';
  /** What is different, or which layout it has. */
  readonly details: readonly string[];
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
    const { config, state } = await bus.callJetStream<StreamInfo>(`STREAM.INFO.${name}`);
    const size = { messages: state.messages, bytes: state.bytes, maxBytes: config.max_bytes };
    const layout = layoutOf(config);
    if (layout > LAYOUT_VERSION) return { name, state: 'newer', details: [`layout ${layout}`], ...size };
    const details = differencesOf(config, wanted);
    return { name, state: details.length === 0 ? 'as-defined' : 'different', details, ...size };
  } catch (error) {
    if (!(error instanceof NoStreamError) || !error.isJetStreamThere) throw error;
    return { name, state: 'missing', details: [], messages: 0, bytes: 0, maxBytes: -1 };
  }
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
