import { MAX_HEADER_BYTES } from './envelope.ts';
import { type Row, rows } from './rows.ts';
import { type Retention, type RetentionChanges, STREAM_NAMES, streamName, streams } from './streams.ts';
import { buildFilter } from './subject.ts';

/** A stream as it must be on the server. `maxBytes` is what is configured for use, without the headroom. */
export interface StreamDefinition extends Retention {
  readonly name: string;
  /** Of one message, headers included. */
  readonly maxMessageBytes: number;
  readonly maxMessagesPerSubject: number;
  readonly subjects: readonly string[];
  readonly description: string;
}

/**
 * More than one identity can bring before the guard has cut it off: what the server acknowledges can be aimed at another's subject,
 * and must not push out what that one has said. Whoever publishes more on its own is bounded by bytes, and by the guard.
 */
const MAX_MESSAGES_PER_SUBJECT = 1_000_000;

/** All streams of an environment, their subjects taken from the rows. */
export function streamDefinitions(env: string, retention: RetentionChanges = {}): readonly StreamDefinition[] {
  return STREAM_NAMES.map((stream) => {
    const kept = Object.values<Row>(rows).filter((row) => row.stream === stream);
    const { maxMessageBytes, ...bounds } = streams[stream];
    return {
      name: streamName(env, stream),
      subjects: kept.map((row) => buildFilter(env, row.template)),
      description: `Muster ${env}: ${stream}`,
      ...bounds,
      ...retention[stream],
      maxMessageBytes: maxMessageBytes + MAX_HEADER_BYTES,
      maxMessagesPerSubject: MAX_MESSAGES_PER_SUBJECT,
    };
  });
}
