import { DeliverPolicy } from '@nats-io/jetstream';
import type { z } from 'zod';
import type { Row } from '../rows.ts';
import { streamName } from '../streams.ts';
import { buildFilter, type SubjectParams } from '../subject.ts';
import { RowReader, type RowReaderDependencies } from './row-reader.ts';
import { type Delivery, type ReaderDependencies, type ReaderOptions, readStream } from './stream-reader.ts';
import type { HistoryOptions, StoredMessage } from './types.ts';

/** Of what is read at once it is all held in memory anyway: its ids as well, up to so many. */
const REMEMBERED_IDS = 262_144;

/** Reads what a stream holds of one row, oldest first. What is not readable, or there twice, is counted and left out. */
export async function readHistory<T extends string, S extends z.ZodType>(
  dependencies: ReaderDependencies & RowReaderDependencies,
  row: Row<T, S>,
  filter: Partial<SubjectParams<T>>,
  options: HistoryOptions<z.output<S>>,
): Promise<readonly StoredMessage<T, S>[]> {
  if (row.stream === undefined) throw new TypeError(`no stream keeps '${row.template}'`);
  const found = await readOnce(dependencies, row, buildFilter(dependencies.environment, row.template, filter), options);
  if (!options.lastOfEach || found.unreadable.size === 0) return found.messages;
  return withFormer(dependencies, row, found, options);
}

interface Found<T extends string, S extends z.ZodType> {
  readonly messages: readonly StoredMessage<T, S>[];
  /** Subjects on which something was not readable. */
  readonly unreadable: ReadonlySet<string>;
}

/** What a subject has last may be what somebody had the server put there: then what came before it is the last one. */
async function withFormer<T extends string, S extends z.ZodType>(
  dependencies: ReaderDependencies & RowReaderDependencies,
  row: Row<T, S>,
  { messages, unreadable }: Found<T, S>,
  { signal }: HistoryOptions<z.output<S>>,
): Promise<readonly StoredMessage<T, S>[]> {
  const all = [...messages];
  for (const subject of unreadable) {
    const former = await readOnce(dependencies, row, subject, { last: 1, ...(signal && { signal }) });
    all.push(...former.messages);
  }
  return all.sort((a, b) => a.seq - b.seq);
}

async function readOnce<T extends string, S extends z.ZodType>(
  dependencies: ReaderDependencies & RowReaderDependencies,
  row: Row<T, S>,
  subjects: string,
  options: HistoryOptions<z.output<S>>,
): Promise<Found<T, S>> {
  const { environment } = dependencies;
  const rowReader = new RowReader(dependencies, row, REMEMBERED_IDS);
  const found: StoredMessage<T, S>[] = [];
  const unreadable = new Set<string>();
  const limit = options.last ?? Number.POSITIVE_INFINITY;

  /** True when that was enough. */
  function take(delivery: Delivery): boolean {
    const read = rowReader.read(delivery);
    if (read === undefined) {
      if (options.lastOfEach) unreadable.add(delivery.subject);
      return false;
    }
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
      filter: subjects,
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
  return { messages: limit === Number.POSITIVE_INFINITY ? found : found.slice(-limit), unreadable };
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
