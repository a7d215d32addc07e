import { DeliverPolicy } from '@nats-io/jetstream';
import type { z } from 'zod';
import type { Row } from '../rows.ts';
import { streamName } from '../streams.ts';
import { buildFilter, type SubjectParams } from '../subject.ts';
import { NoStreamError, PermissionDeniedError } from './errors.ts';
import { RowReader, type RowReaderDependencies } from './row-reader.ts';
import {
  type Delivery,
  type Reader,
  type ReaderDependencies,
  type ReaderOptions,
  readStream,
} from './stream-reader.ts';
import type { ReadOptions, StoredMessage } from './types.ts';

/** So much may wait for whoever reads; what the server has sent by then comes on top. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 500;
/** By how much the server's clock may have been put back meanwhile. */
const CLOCK_STEP_MS = 60_000;
/** So many messages are known again. */
const REMEMBERED_IDS = 131_072;

type Dependencies = ReaderDependencies & RowReaderDependencies;

/** Reads what a stream holds of one row, oldest first, then what comes. See `Bus.read`. */
export async function* readInOrder<T extends string, S extends z.ZodType>(
  dependencies: Dependencies,
  row: Row<T, S>,
  filter: Partial<SubjectParams<T>>,
  { startTime, follow = false, signal }: ReadOptions,
): AsyncGenerator<StoredMessage<T, S> | 'caught-up', void> {
  const { environment } = dependencies;
  if (row.stream === undefined) throw new TypeError(`no stream keeps '${row.template}'`);
  const place: Place = {
    stream: streamName(environment, row.stream),
    filter: buildFilter(environment, row.template, filter),
    startTime,
    lastTime: undefined,
  };
  const rowReader = new RowReader(dependencies, row, REMEMBERED_IDS);
  let isCaughtUp = false;
  while (!signal.aborted) {
    using deliveries = new Deliveries(dependencies, place, startOf(place), signal);
    for (let next = await deliveries.next(); next !== undefined; next = await deliveries.next()) {
      if (next === 'caught-up') {
        if (!isCaughtUp) yield next;
        isCaughtUp = true;
        if (!follow) return;
        continue;
      }
      const { seq, time } = next;
      place.lastTime = time;
      const read = rowReader.read(next);
      if (read !== undefined) yield { ...read, seq, time };
    }
    deliveries.throwIfHopeless();
  }
}

/** What is read, and how far it has been. */
interface Place {
  readonly stream: string;
  readonly filter: string;
  readonly startTime: Date | undefined;
  /** When the last message that was read was stored. */
  lastTime: Date | undefined;
}

/**
 * Again from a little before the last message that was read was stored: its sequence says nothing where the bus has gone back and
 * hands it out anew. What was read already is known by its id, and left out.
 */
function startOf({ startTime, lastTime }: Place): ReaderOptions['from'] {
  const againMs = lastTime === undefined ? Number.NEGATIVE_INFINITY : lastTime.getTime() - CLOCK_STEP_MS;
  const fromMs = Math.max(startTime?.getTime() ?? Number.NEGATIVE_INFINITY, againMs);
  if (fromMs === Number.NEGATIVE_INFINITY) return { deliver_policy: DeliverPolicy.All };
  return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(fromMs).toISOString() };
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, RETRY_MS);
    signal.addEventListener('abort', end);
  });
}

/** One reader's deliveries as a queue, which the server fills no faster than it is emptied. */
class Deliveries implements Disposable {
  readonly #reader: Reader;
  readonly #signal: AbortSignal;
  readonly #queue: (Delivery | 'caught-up')[] = [];
  readonly #onAbort = () => this.#wake();
  #waitingBytes = 0;
  #end: Error | undefined;
  #wake: () => void = () => {};

  constructor(dependencies: Dependencies, { stream, filter }: Place, from: ReaderOptions['from'], signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
    this.#reader = readStream(dependencies, {
      stream,
      filter,
      from,
      onDelivery: (delivery) => {
        this.#waitingBytes += delivery.data.length;
        this.#add(delivery);
      },
      onCaughtUp: () => this.#add('caught-up'),
      onLost: (error) => {
        this.#end = error;
        this.#wake();
      },
      isFull: () => this.#waitingBytes > MAX_WAITING_BYTES,
    });
  }

  /** `undefined` when there will be no more. */
  async next(): Promise<Delivery | 'caught-up' | undefined> {
    for (;;) {
      if (this.#signal.aborted) return undefined;
      const next = this.#queue.shift();
      if (next !== undefined) {
        if (next !== 'caught-up') this.#waitingBytes -= next.data.length;
        if (this.#waitingBytes <= MAX_WAITING_BYTES / 2) this.#reader.goOn();
        return next;
      }
      if (this.#end !== undefined) {
        // The connection comes back by itself; what else ended it is tried again after a moment.
        await pause(this.#signal);
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** @throws the error that no new attempt will mend */
  throwIfHopeless(): void {
    const end = this.#end;
    if (end instanceof PermissionDeniedError || end instanceof NoStreamError) throw end;
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#reader.stop();
  }

  #add(item: Delivery | 'caught-up'): void {
    this.#queue.push(item);
    this.#wake();
  }
}
