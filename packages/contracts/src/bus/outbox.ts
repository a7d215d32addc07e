/*
 * Messages that must not be lost: first on disk, then in their stream, in order per subject, once.
 *
 * Each message is stored only behind the one before it: it is sent with the sequence that the stream must have last on
 * its subject, and with an id by which the server knows for two minutes what it has stored. One message of a subject is on
 * its way at a time; subjects don't wait for each other. When the answer to a message never came (the connection broke, this
 * process was killed), it is sent again. A refusal names another last sequence: then the message is sent again behind that
 * one. Nothing else follows from a number: what has it may be somebody else's, for the server's own acknowledgements can be
 * aimed at any subject. So beyond the two minutes a message may be stored twice; readers know it by its id.
 *
 * A bus that was restored, or that lost its last seconds in a power cut, does not hold all that it acknowledged any more. When
 * its incarnation rises, or when a refusal names a sequence below the expected one, what is not certainly there is sent
 * again, with the same ids, before anything else of its subject.
 */
import type { z } from 'zod';
import type { Encoding } from '../envelope.ts';
import { certainlyKept, type Incarnation } from '../messages/incarnation.ts';
import { streamOfSubject } from '../row-match.ts';
import type { Row } from '../rows.ts';
import { buildSubject, parseSubject, type SubjectParams } from '../subject.ts';
import type { Bus } from './bus.ts';
import { decodeMessage, encodeForStream, refuseForeign } from './codec.ts';
import { BusAwayError, WrongLastSequenceError } from './errors.ts';
import { messageIdOf } from './message-id.ts';
import { OutboxJournal } from './outbox-journal.ts';
import {
  type AcknowledgedMessage,
  type Entry,
  type FoundContents,
  type JournaledMessage,
  type JournalLine,
  messageLine,
} from './outbox-lines.ts';
import { attemptToStore } from './store-attempt.ts';

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;
/** When it is too full it is emptied so far, so that what is said about it has room. */
const ROOM_RATIO = 0.9;
const MAX_IN_FLIGHT = 64;
/** Somebody who has the server put things on a subject could keep ahead of its sequence for ever: then it is stored without. */
const MAX_REFUSALS = 3;
/** Of what was acknowledged, the last so many are sent again at most. */
const MAX_AGAIN = 10_000;
const SENT_AGAIN_EVERY_MS = 10 * 60_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5_000;
/** How often it is tried whether a full disk has room again. */
const REPAIR_MS = 2_000;

export interface OutboxOptions {
  readonly directory: string;
  readonly bus: Bus;
  /** How much may wait; beyond it the oldest are given up. */
  readonly maxBytes?: number;
  /** Told how many messages were given up since the last time. */
  readonly onGap?: (lost: number) => void;
  /** Told of each message that is in its stream; after a `kill -9` possibly again. */
  readonly onDelivered?: (delivery: OutboxDelivery) => void;
  /** Told when the disk does not take what must be journaled, or the bus keeps refusing. */
  readonly onProblem?: (error: Error) => void;
  /**
   * The sequence under which a message is in its stream behind `afterSeq`; `undefined` where it is not, or that is not asked. It
   * is asked before a message goes out again of which nobody knows whether it arrived: readers know it by its id, but whoever
   * else listens on the subject hears it twice.
   */
  readonly findArrived?: (subject: string, id: string, afterSeq: number) => Promise<number | undefined>;
  /**
   * Told when a refusal looks as if the bus had gone back: it is time to ask for its incarnation, and to `learn` it. The subject
   * waits until this settles.
   */
  readonly onGoneBack?: () => Promise<void> | void;
}

export interface OutboxDelivery {
  /** The message's own id. */
  readonly id: string;
  readonly subject: string;
  /** Its sequence in the stream. */
  readonly seq: number;
}

/** A message that is not in its stream yet. */
export interface WaitingMessage<M> {
  readonly id: string;
  /** `undefined` when its schema has changed since it was journaled. */
  read(): M | undefined;
}

/** What waits on one subject. */
interface Lane {
  readonly subject: string;
  readonly waiting: Entry[];
  /** Of the subject, in the stream; `undefined` while nothing of it is known. */
  lastSeq: number | undefined;
  isBusy: boolean;
  failures: number;
  /** Of one message, in a row. */
  refusals: number;
  /** When what its stream had lost was last sent again by a number alone, in monotonic ms. */
  sentAgainMs: number;
  retry: NodeJS.Timeout | undefined;
}

interface Waiter {
  readonly resolve: () => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #journal: OutboxJournal;
  readonly #maxBytes: number;
  readonly #lanes = new Map<string, Lane>();
  readonly #entries = new Map<number, Entry>();
  /** Lanes that may send: something waits, nothing is on its way. */
  readonly #ready = new Set<Lane>();
  /** Written with the next batch: what they say can be found out again. */
  readonly #outcomes: JournalLine[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #stopListening: () => void;
  /** What the last process had journaled, by subject, until somebody has looked. */
  #found: ReadonlyMap<string, JournaledMessage>;
  readonly #secret: string;
  #incarnation: number | undefined;
  #lastNumber: number;
  #waitingBytes = 0;
  #inFlight = 0;
  #lost = 0;
  #isPumpDue = false;
  #isClosed = false;
  #repair: NodeJS.Timeout | undefined;

  /** Goes on where the last process ended, however it ended. @throws when the directory can't be used */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const { journal, contents } = OutboxJournal.open(options.directory, (error) => options.onProblem?.(error));
    return new Outbox(options, journal, contents);
  }

  private constructor(options: OutboxOptions, journal: OutboxJournal, contents: FoundContents) {
    this.#options = options;
    this.#journal = journal;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#lastNumber = contents.lastNumber;
    this.#secret = contents.secret;
    this.#incarnation = contents.incarnation;
    this.#found = contents.newest;
    for (const [subject, last] of contents.lastSequences) this.#lane(subject).lastSeq = last;
    for (const entry of contents.entries) this.#enqueue(entry);
    this.#stopListening = options.bus.onConnection(({ connected }) => {
      if (connected) this.#onConnected();
    });
  }

  /** How many messages wait. */
  get backlog(): number {
    return this.#entries.size;
  }

  /** Of the bus, as far as it was told. */
  get incarnation(): number | undefined {
    return this.#incarnation;
  }

  /** What the bus says of its store. When that has gone back, what it may have lost is sent again. */
  learn(told: Incarnation): void {
    const known = this.#incarnation;
    if (this.#isClosed || (known !== undefined && told.incarnation <= known)) return;
    // Before the first word nothing was known that could have changed since.
    if (known !== undefined) {
      const { environment } = this.#options.bus;
      const keptOf = ({ subject, incarnation = known }: AcknowledgedMessage): number => {
        if (incarnation >= told.incarnation) return Number.POSITIVE_INFINITY;
        return certainlyKept(told, incarnation, streamOfSubject(environment, subject) ?? '');
      };
      this.#sendAgain((message) => message.seq > keptOf(message));
    }
    this.#incarnation = told.incarnation;
    this.#outcomes.push({ incarnation: told.incarnation });
    this.#journalOutcomes([]);
  }

  /**
   * How many messages died with the last process, for its disk was full; nothing when none did. What `tell` appends about them
   * is on disk before they are forgotten.
   */
  tellLost(tell: (lost: number) => void): void {
    const { lost } = this.#journal;
    if (lost === 0) return;
    tell(lost);
    this.#journal.forgetLost();
  }

  /**
   * When it returns the message survives the death of this process, unless the disk is full: then it is on disk as soon as
   * there is room, and `tellLost` of the next process counts it if this one ends before.
   * @throws InvalidMessageError, MessageTooLargeError, InvalidTokenError
   */
  append<T extends string, S extends z.ZodType<{ id: string }>>(
    row: Row<T, S>,
    params: SubjectParams<T>,
    message: z.input<S>,
  ): void {
    const { bus } = this.#options;
    if (row.stream === undefined) throw new TypeError(`no stream keeps '${row.template}'`);
    const subject = buildSubject(bus.environment, row.template, params);
    const { encoding, names } = row;
    refuseForeign(names, params, subject, message);
    const payload = Buffer.from(encodeForStream(row, subject, message)).toString(textFormOf(encoding));
    const { id } = message as { id: string };
    const entry: Entry = { number: ++this.#lastNumber, subject, id, payload, encoding, attempt: undefined };
    this.#journal.append([messageLine(entry)]);
    this.#enqueue(entry);
    this.#makeRoom();
    this.#compactIfWorth();
  }

  /**
   * Of each subject of a row the last message that the last process had journaled, stored or not: what it said just before it
   * was killed, and perhaps could note nowhere else. May be asked once.
   */
  takeFound<T extends string, S extends z.ZodType>(row: Row<T, S>): readonly z.output<S>[] {
    const { environment } = this.#options.bus;
    const found = [...this.#found].filter(
      ([subject]) => parseSubject(environment, row.template, subject) !== undefined,
    );
    this.#found = new Map();
    return found.flatMap(([, { payload, encoding }]) => {
      const decoded = decodeMessage(row.schema, Buffer.from(payload, textFormOf(encoding)), { encoding });
      return decoded.ok ? [decoded.message] : [];
    });
  }

  /** What waits on one subject, oldest first. */
  waiting<T extends string, S extends z.ZodType<{ id: string }>>(
    row: Row<T, S>,
    params: SubjectParams<T>,
  ): readonly WaitingMessage<z.output<S>>[] {
    const entries = this.#lanes.get(buildSubject(this.#options.bus.environment, row.template, params))?.waiting ?? [];
    return entries.map(({ id, payload, encoding }) => ({
      id,
      read: () => {
        const decoded = decodeMessage(row.schema, Buffer.from(payload, textFormOf(encoding)), { encoding });
        return decoded.ok ? decoded.message : undefined;
      },
    }));
  }

  /** Settles when nothing waits any more; rejects with the signal's reason. */
  flushed(signal: AbortSignal): Promise<void> {
    if (this.backlog === 0) return Promise.resolve();
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiters.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        resolve: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', onAbort);
    });
  }

  /** Stops sending. What waits, or is on its way, stays on disk. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopListening();
    clearTimeout(this.#repair);
    for (const lane of this.#lanes.values()) clearTimeout(lane.retry);
    this.#journalOutcomes([]);
    this.#journal.close();
  }

  #lane(subject: string): Lane {
    let lane = this.#lanes.get(subject);
    if (lane === undefined) {
      lane = {
        subject,
        waiting: [],
        lastSeq: undefined,
        isBusy: false,
        failures: 0,
        refusals: 0,
        sentAgainMs: Number.NEGATIVE_INFINITY,
        retry: undefined,
      };
      this.#lanes.set(subject, lane);
    }
    return lane;
  }

  #enqueue(entry: Entry): void {
    const lane = this.#lane(entry.subject);
    lane.waiting.push(entry);
    this.#entries.set(entry.number, entry);
    this.#waitingBytes += sizeOf(entry);
    this.#makeReady(lane);
  }

  #makeReady(lane: Lane): void {
    if (lane.isBusy || lane.retry !== undefined || lane.waiting.length === 0) return;
    this.#ready.add(lane);
    this.#schedulePump();
  }

  #onConnected(): void {
    for (const lane of this.#lanes.values()) {
      clearTimeout(lane.retry);
      lane.retry = undefined;
      lane.failures = 0;
      lane.refusals = 0;
      this.#makeReady(lane);
    }
  }

  /** One write for all that is decided in one turn of the event loop. */
  #schedulePump(): void {
    if (this.#isPumpDue || this.#isClosed) return;
    this.#isPumpDue = true;
    setImmediate(() => {
      this.#isPumpDue = false;
      if (!this.#isClosed) this.#pump();
    });
  }

  #pump(): void {
    const chosen: { readonly lane: Lane; readonly entry: Entry; readonly expected: number }[] = [];
    for (const lane of this.#ready) {
      if (!this.#options.bus.isConnected || this.#inFlight + chosen.length >= MAX_IN_FLIGHT) break;
      const [entry] = lane.waiting;
      if (entry === undefined) this.#ready.delete(lane);
      else chosen.push({ lane, entry, expected: lane.lastSeq ?? 0 });
    }
    // What is not on record as sent might be sent twice: on a full disk all of it waits for the repair.
    if (!this.#journalOutcomes(chosen.map(({ entry, expected }) => ({ attempt: entry.number, last: expected }))))
      return;
    for (const { lane, entry, expected } of chosen) {
      const { attempt: doubtedBehind } = entry;
      this.#ready.delete(lane);
      lane.isBusy = true;
      this.#inFlight++;
      entry.attempt = doubtedBehind ?? expected;
      void this.#settle(lane, this.#send(lane, entry, expected, doubtedBehind));
    }
    this.#compactIfWorth();
  }

  /** With `lines` behind them. False when the disk does not take it: then they are kept, and `lines` are not. */
  #journalOutcomes(lines: readonly JournalLine[]): boolean {
    const isWritten = this.#journal.append([...this.#outcomes, ...lines]);
    if (isWritten) this.#outcomes.length = 0;
    else this.#compactIfWorth();
    return isWritten;
  }

  async #send(lane: Lane, entry: Entry, expected: number, doubtedBehind: number | undefined): Promise<void> {
    const { findArrived } = this.#options;
    const { subject, id } = entry;
    const arrivedAs =
      doubtedBehind === undefined ? undefined : await findArrived?.(subject, id, doubtedBehind).catch(() => undefined);
    if (arrivedAs !== undefined) {
      this.#delivered(lane, entry, arrivedAs);
      return;
    }
    const attempt = await attemptToStore(() => this.#publish(lane, entry, expected));
    if (attempt.outcome === 'stored') {
      this.#delivered(lane, entry, attempt.seq);
      return;
    }
    const isDoubtful = doubtedBehind !== undefined || (attempt.outcome === 'failed' && attempt.isDoubtful);
    if (!isDoubtful) entry.attempt = undefined;
    if (attempt.outcome === 'refused') await this.#refused(lane, entry, expected, attempt.lastSeq);
    throw attempt.error;
  }

  #publish(lane: Lane, { id, subject, payload, encoding }: Entry, expected: number): Promise<{ seq: number }> {
    const expectedLastSeq = lane.refusals < MAX_REFUSALS ? expected : undefined;
    const options = { expectedLastSeq, encoding, messageId: messageIdOf(this.#secret, subject, id) };
    return this.#options.bus.publishEncoded(subject, Buffer.from(payload, textFormOf(encoding)), options);
  }

  async #refused(lane: Lane, { number, attempt, subject }: Entry, expected: number, last: number): Promise<void> {
    lane.lastSeq = last;
    lane.refusals++;
    // It was on its way when older ones were put behind it.
    lane.waiting.sort((a, b) => Number(b.isAgain ?? false) - Number(a.isAgain ?? false));
    this.#outcomes.push(attempt === undefined ? { refused: number, last } : { subject, last });
    this.#journalOutcomes([]);
    if (last >= expected || this.#isClosed) return;
    const known = this.#incarnation;
    await this.#options.onGoneBack?.();
    if (this.#isClosed || this.#incarnation !== known) return;
    // Nobody knows that it went back. It may also have dropped what was last here for want of room: then that is not done often.
    // On another connection it may be another store.
    const sinceMs = Math.max(performance.now() - SENT_AGAIN_EVERY_MS, this.#options.bus.connectedSinceMs ?? 0);
    if (lane.sentAgainMs > sinceMs) return;
    lane.sentAgainMs = performance.now();
    this.#sendAgain((message) => message.subject === subject && message.seq > last);
  }

  /** Messages that the bus had acknowledged, before all that waits on their subjects. Never throws. */
  #sendAgain(isLost: (message: AcknowledgedMessage) => boolean): void {
    for (const [subject, messages] of bySubject(this.#acknowledged().filter(isLost))) {
      const lane = this.#lane(subject);
      const waiting = new Set(lane.waiting.map(({ id }) => id));
      const again: Entry[] = [];
      for (const { seq: _seq, incarnation: _incarnation, ...message } of messages) {
        const entry: Entry = { ...message, number: ++this.#lastNumber, attempt: undefined, isAgain: true };
        if (waiting.has(entry.id) || this.#waitingBytes + sizeOf(entry) > this.#maxBytes) continue;
        again.push(entry);
        this.#entries.set(entry.number, entry);
        this.#waitingBytes += sizeOf(entry);
      }
      this.#journal.append(again.map(messageLine));
      // What is on its way comes first, unless it has just been refused.
      const isOnItsWay = lane.isBusy && lane.refusals === 0;
      lane.waiting.splice(isOnItsWay ? 1 : 0, 0, ...again);
      this.#makeReady(lane);
    }
  }

  #acknowledged(): readonly AcknowledgedMessage[] {
    this.#journalOutcomes([]);
    try {
      return this.#journal.acknowledged().slice(-MAX_AGAIN);
    } catch (error) {
      this.#options.onProblem?.(error as Error);
      return [];
    }
  }

  #delivered(lane: Lane, entry: Entry, seq: number): void {
    // Too late to be noted: the next process finds it out.
    if (this.#isClosed) return;
    lane.lastSeq = seq;
    this.#outcomes.push({ stored: entry.number, last: seq });
    this.#remove(lane, entry);
    this.#options.onDelivered?.({ id: entry.id, subject: entry.subject, seq });
  }

  /** After each step of a lane: the next one, now or later. Never rejects. */
  async #settle(lane: Lane, step: Promise<void>): Promise<void> {
    try {
      await step;
      lane.failures = 0;
      lane.refusals = 0;
    } catch (error) {
      this.#failed(lane, error as Error);
    }
    lane.isBusy = false;
    this.#inFlight--;
    this.#makeReady(lane);
    this.#schedulePump();
    if (this.backlog === 0) this.#tellFlushed();
  }

  #failed(lane: Lane, error: Error): void {
    // Once refused for its order it knows the order.
    if (error instanceof WrongLastSequenceError && lane.refusals <= MAX_REFUSALS) return;
    lane.failures++;
    // The next connection takes it up.
    if (this.#isClosed || (error instanceof BusAwayError && !this.#options.bus.isConnected)) return;
    if (lane.failures === 1) this.#options.onProblem?.(error);
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (lane.failures - 1)) * (0.75 + Math.random() / 2);
    lane.retry = setTimeout(() => {
      lane.retry = undefined;
      this.#makeReady(lane);
    }, delayMs);
  }

  #remove(lane: Lane, entry: Entry): void {
    const at = lane.waiting.indexOf(entry);
    if (at >= 0) lane.waiting.splice(at, 1);
    this.#entries.delete(entry.number);
    this.#waitingBytes -= sizeOf(entry);
  }

  #makeRoom(): void {
    if (this.#waitingBytes <= this.#maxBytes) return;
    for (const entry of this.#entries.values()) {
      if (this.#waitingBytes <= this.#maxBytes * ROOM_RATIO) break;
      const lane = this.#lane(entry.subject);
      const isOnItsWay = lane.isBusy && lane.waiting[0] === entry;
      if (isOnItsWay) continue;
      this.#remove(lane, entry);
      this.#outcomes.push({ dropped: entry.number });
      this.#lost++;
    }
    this.#schedulePump();
    // Later, for who is told may append what it has to say about it.
    setImmediate(() => this.#tellGap());
  }

  #tellGap(): void {
    const lost = this.#lost;
    this.#lost = 0;
    if (lost > 0) this.#options.onGap?.(lost);
  }

  #compactIfWorth(): void {
    if (this.#journal.isWorthCompacting(this.#waitingBytes)) this.#compact();
    if (!this.#journal.isIncomplete || this.#repair !== undefined || this.#isClosed) return;
    this.#repair = setTimeout(() => {
      this.#repair = undefined;
      this.#compact();
      this.#compactIfWorth();
      this.#schedulePump();
    }, REPAIR_MS).unref();
  }

  #compact(): void {
    const lastSequences = new Map<string, number>();
    for (const { subject, lastSeq } of this.#lanes.values()) {
      if (lastSeq !== undefined) lastSequences.set(subject, lastSeq);
    }
    const contents = {
      entries: [...this.#entries.values()],
      lastSequences,
      lastNumber: this.#lastNumber,
      secret: this.#secret,
      incarnation: this.#incarnation,
    };
    if (this.#journal.compact(contents)) this.#outcomes.length = 0;
  }

  #tellFlushed(): void {
    for (const waiter of this.#waiters) waiter.resolve();
    this.#waiters.clear();
  }
}

function bySubject(messages: readonly AcknowledgedMessage[]): ReadonlyMap<string, readonly AcknowledgedMessage[]> {
  const groups = new Map<string, AcknowledgedMessage[]>();
  for (const message of messages) {
    const group = groups.get(message.subject);
    if (group === undefined) groups.set(message.subject, [message]);
    else group.push(message);
  }
  return groups;
}

/** How the bytes of a message stand in the journal. */
function textFormOf(encoding: Encoding | undefined): 'utf8' | 'base64' {
  return encoding === undefined ? 'utf8' : 'base64';
}

/** In characters, which is near enough. */
function sizeOf({ payload, subject }: Entry): number {
  return payload.length + subject.length;
}
