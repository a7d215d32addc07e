/**
 * Every instance event, in order per instance. They come live from the bus, at once; what was missed while the prober or
 * its connection was down is read from the stream first, and what comes live meanwhile waits for it. An event may come
 * twice: whoever takes them knows its last position and drops what is not after it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type InstanceEvent, rows } from '@muster/contracts';
import type { Bus, Subscription } from '@muster/contracts/bus';
import { timeAgo } from './clock.ts';
import type { Cursor } from './state-file.ts';

/** How often the cursor moves on while nothing is missed. */
const SYNC_INTERVAL_MS = 10_000;
const RETRY_MS = 1_000;

export interface EventFeedOptions {
  readonly bus: Bus;
  /** From here on. */
  readonly cursor: Cursor;
  readonly onEvent: (event: InstanceEvent) => void;
  /** All events up to the cursor have been taken. */
  readonly onSynced: (cursor: Cursor) => void;
  /** Before each reading. */
  readonly onReading: () => void;
  readonly onProblem: (reason: string) => void;
}

export class EventFeed {
  readonly #options: EventFeedOptions;
  readonly #stopping = new AbortController();
  #cursor: Cursor;
  /** Live events wait here until what was missed has been read; `undefined` while nothing is missed. */
  #waiting: InstanceEvent[] | undefined = [];
  #liveSinceSync = 0;
  #subscription: Subscription | undefined;
  #unlisten: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isReading = false;

  constructor(options: EventFeedOptions) {
    this.#options = options;
    this.#cursor = options.cursor;
  }

  /** Settles once all that was missed has been taken. @throws the signal's reason. */
  async start(signal: AbortSignal): Promise<void> {
    const { bus } = this.#options;
    this.#subscription = bus.subscribe(rows.instanceEvent, {}, (event) => this.#take(event));
    this.#unlisten = bus.onConnection(({ connected }) => {
      if (!connected) this.#waiting ??= [];
      else void this.#catchUp();
    });
    while (!(await this.#catchUp())) {
      await bus.connected(signal);
      await delay(RETRY_MS, undefined, { signal });
    }
  }

  stop(): void {
    this.#stopping.abort();
    this.#subscription?.stop();
    this.#unlisten?.();
    clearTimeout(this.#timer);
  }

  #take(event: InstanceEvent): void {
    this.#liveSinceSync += 1;
    if (this.#waiting !== undefined) this.#waiting.push(event);
    else this.#options.onEvent(event);
  }

  /** Reads, and again after a while. False when it has not been read now. */
  async #catchUp(): Promise<boolean> {
    if (this.#isReading) return false;
    this.#isReading = true;
    clearTimeout(this.#timer);
    const isDone = await this.#read();
    this.#isReading = false;
    if (!this.#stopping.signal.aborted) {
      this.#timer = setTimeout(() => void this.#catchUp(), isDone ? SYNC_INTERVAL_MS : RETRY_MS);
    }
    return isDone;
  }

  async #read(): Promise<boolean> {
    const { bus, onEvent, onSynced, onReading, onProblem } = this.#options;
    const { seq, since } = this.#cursor;
    const liveBefore = this.#liveSinceSync;
    onReading();
    try {
      const from = seq === undefined ? { startTime: new Date(since) } : { sinceSeq: seq + 1 };
      const stored = await bus.history(rows.instanceEvent, {}, { ...from, signal: this.#stopping.signal });
      for (const { message } of stored) onEvent(message);
      const last = stored.at(-1)?.seq;
      // Live events that no reading finds are in a new stream, with smaller sequences: the old one was lost.
      if (last === undefined && liveBefore > 0) this.#cursor = { since: timeAgo(SYNC_INTERVAL_MS) };
      else if (last !== undefined) this.#cursor = { seq: last, since };
      this.#liveSinceSync -= liveBefore;
    } catch (error) {
      if (!this.#stopping.signal.aborted) onProblem(`cannot read the events that were missed: ${String(error)}`);
      return false;
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const event of waiting) onEvent(event);
    onSynced(this.#cursor);
    return true;
  }
}
