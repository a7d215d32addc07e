import { MAX_MESSAGE_BYTES } from './envelope.ts';

/** In seconds. */
const HOUR = 3_600;
const DAY = 24 * HOUR;
const KIB = 1024;
const MIB = 1024 * KIB;

/** How long and how much: whichever bound is reached first ends a message's life. */
export interface Retention {
  readonly maxAgeSeconds: number;
  readonly maxBytes: number;
}

/** Every stream: what is kept of it by default, and how large one of its messages may be. */
export const streams = {
  events: stream(30 * DAY, 1024, 16 * KIB),
  audit: stream(365 * DAY, 256, 8 * KIB),
  logs: stream(7 * DAY, 2048, MAX_MESSAGE_BYTES),
  probes: stream(HOUR, 256, 8 * KIB),
  alerts: stream(365 * DAY, 256, 32 * KIB),
  'rollup-1m': stream(30 * DAY, 2048, 256 * KIB),
  'rollup-15m': stream(365 * DAY, 2048, 256 * KIB),
  'rollup-2h': stream(5 * 365 * DAY, 2048, 256 * KIB),
};
export type StreamName = keyof typeof streams;
export const STREAM_NAMES = Object.keys(streams) as readonly StreamName[];

function stream(
  maxAgeSeconds: number,
  mebibytes: number,
  maxMessageBytes: number,
): Retention & { maxMessageBytes: number } {
  return { maxAgeSeconds, maxBytes: mebibytes * MIB, maxMessageBytes };
}

/** What a configuration changes of it. */
export type RetentionChanges = Readonly<Partial<Record<StreamName, Partial<Retention>>>>;

/**
 * How much one who has gone astray may store before the guard has noticed and stopped it: ten seconds at what a server takes
 * from one client. It comes on top of what is configured for use, so that nobody else's messages make room for it.
 */
export const FLOOD_HEADROOM_BYTES = 350 * MIB;

/** `MUSTER_<ENV>_EVENTS`. */
export function streamName(env: string, stream: StreamName): string {
  return `MUSTER_${env}_${stream.replace('-', '_')}`.toUpperCase();
}
