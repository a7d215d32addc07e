import { DeliverPolicy } from '@nats-io/jetstream';
import type { z } from 'zod';
import type { Row } from '../rows.ts';
import { streamName } from '../streams.ts';
import { buildFilter, type SubjectParams } from '../subject.ts';
import type { HistoryOptions, StoredMessage } from './bus.ts';
import { RowReader, type RowReaderDependencies } from './row-reader.ts';
import { type Delivery, type ReaderDependencies, type ReaderOptions, readStream } from './stream-reader.ts';

/** Reads what a stream holds of one row, oldest first. What is not readable is counted and left out. */
export async function readHistory<T extends string, S extends z.ZodType>(
  dependencies: ReaderDependencies & RowReaderDependencies,
  row: Row<T, S>,
  filter: Partial<SubjectParams<T>>,
  options: HistoryOptions<z.output<S>>,
): Promise<readonly StoredMessage<T, S>[]> {
  const { environment } = dependencies;
  if (row.stream === undefined) throw new TypeError(`no stream keeps '${row.template}'`);
  const rowReader = new RowReader(dependencies, row);
  const found: StoredMessage<T, S>[] = [];
  const limit = options.last ?? Number.POSITIVE_INFINITY;

  /** True when that was enough. */
  function take(delivery: Delivery): boolean {
    const read = rowReader.read(delivery);
    if (read === undefined) return false;
    const { seq, time } = delivery;
    found.push({ ...read, seq, time });
    // Trimmed rarely, so that reading a long stream for its end stays linear.
    if (found.length > 2 * limit + 1_000) found.splice(0, found.length - limit);
    return options.isEnough?.(read.message, time) ?? false;
  }

  await new Promise<void>((resolve, reject) => {
    const onAbort = () => {
      reader.stop();
      reject(options.signal?.reason);
    };
    const settle = (run: () => void) => {
      reader.stop();
      options.signal?.removeEventListener('abort', onAbort);
      run();
    };
    const reader = readStream(dependencies, {
      stream: streamName(environment, row.stream as NonNullable<typeof row.stream>),
      filter: buildFilter(environment, row.template, filter),
      from: startOf(options),
      onDelivery: (delivery) => {
        if (take(delivery)) settle(resolve);
      },
      onCaughtUp: () => settle(resolve),
      onLost: (error) => settle(() => reject(error)),
    });
    options.signal?.addEventListener('abort', onAbort);
    if (options.signal?.aborted) onAbort();
  });
  return limit === Number.POSITIVE_INFINITY ? found : found.slice(-limit);
}

function startOf({
  lastOfEach,
  sinceSeq,
  startTime,
}: Pick<HistoryOptions, 'lastOfEach' | 'sinceSeq' | 'startTime'>): ReaderOptions['from'] {
  if (lastOfEach) return { deliver_policy: DeliverPolicy.LastPerSubject };
  if (sinceSeq !== undefined) return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: sinceSeq };
  if (startTime !== undefined) {
    return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: startTime.toISOString() };
  }
  return { deliver_policy: DeliverPolicy.All };
}
