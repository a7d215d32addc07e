import { MAX_HEADER_BYTES } from './envelope.ts';
import { type Row, rows } from './rows.ts';
import { buildFilter } from './subject.ts';

const DAY_SECONDS = 86_400;
const MIB = 1024 * 1024;

export const STREAM_NAMES = [
  'events',
  'audit',
  'logs',
  'probes',
  'alerts',
  'rollup-1m',
  'rollup-15m',
  'rollup-2h',
] as const;
export type StreamName = (typeof STREAM_NAMES)[number];

/** How long and how much: whichever bound is reached first ends a message's life. */
export interface Retention {
  readonly maxAgeSeconds: number;
  readonly maxBytes: number;
}

/** What a configuration changes of it. */
export type RetentionChanges = Readonly<Partial<Record<StreamName, Partial<Retention>>>>;

const DEFAULT_RETENTION: Readonly<Record<StreamName, Retention>> = {
  events: { maxAgeSeconds: 30 * DAY_SECONDS, maxBytes: 1024 * MIB },
  audit: { maxAgeSeconds: 365 * DAY_SECONDS, maxBytes: 256 * MIB },
  logs: { maxAgeSeconds: 7 * DAY_SECONDS, maxBytes: 2048 * MIB },
  probes: { maxAgeSeconds: 3_600, maxBytes: 256 * MIB },
  alerts: { maxAgeSeconds: 365 * DAY_SECONDS, maxBytes: 256 * MIB },
  'rollup-1m': { maxAgeSeconds: 30 * DAY_SECONDS, maxBytes: 2048 * MIB },
  'rollup-15m': { maxAgeSeconds: 365 * DAY_SECONDS, maxBytes: 2048 * MIB },
  'rollup-2h': { maxAgeSeconds: 5 * 365 * DAY_SECONDS, maxBytes: 2048 * MIB },
};

/**
 * How much one who has gone astray may store before the guard has noticed and stopped it: ten seconds at what a server takes
 * from one client. It comes on top of what is configured for use, so that nobody else's messages make room for it.
 */
export const FLOOD_HEADROOM_BYTES = 350 * MIB;

/** A stream as it must be on the server. `maxBytes` is what is configured for use, without the headroom. */
export interface StreamDefinition extends Retention {
  readonly name: string;
  /** Of one message, headers included. */
  readonly maxMessageBytes: number;
  readonly maxMessagesPerSubject: number;
  readonly subjects: readonly string[];
  readonly description: string;
}

function envToken(env: string): string {
  return env.toUpperCase();
}

/** `MUSTER_<ENV>_EVENTS`. */
export function streamName(env: string, stream: StreamName): string {
  return `MUSTER_${envToken(env)}_${stream.toUpperCase().replace('-', '_')}`;
}

/**
 * More than one identity can bring before the guard has cut it off: what the server acknowledges can be aimed at another's subject,
 * and must not push out what that one has said. Whoever publishes more on its own is bounded by bytes, and by the guard.
 */
const MAX_MESSAGES_PER_SUBJECT = 1_000_000;

/** All streams of an environment, their subjects taken from the rows. */
export function streamDefinitions(env: string, retention: RetentionChanges = {}): readonly StreamDefinition[] {
  return STREAM_NAMES.map((stream) => {
    const kept = Object.values<Row>(rows).filter((row) => row.kind === 'stream' && row.stream === stream);
    const bounds = { ...DEFAULT_RETENTION[stream], ...retention[stream] };
    return {
      name: streamName(env, stream),
      subjects: kept.map((row) => buildFilter(env, row.template)),
      description: `Muster ${env}: ${stream}`,
      ...bounds,
      maxMessageBytes: Math.max(...kept.map((row) => row.maxBytes)) + MAX_HEADER_BYTES,
      maxMessagesPerSubject: MAX_MESSAGES_PER_SUBJECT,
    };
  });
}
