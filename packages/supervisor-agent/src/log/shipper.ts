/**
 * One instance's lines on their way into the stream: once, and in order. The log file itself is the store: nothing is kept
 * in memory but the message that is on its way, and nothing is written but how far it has come.
 */
import { certainlyKept, type Incarnation, type LogBatch, rows } from '@muster/contracts';
import { attemptToStore, type Bus, messageIdOf, uuidv7 } from '@muster/contracts/bus';
import type { LogSpec } from '@muster/contracts/config';
import type { Envelopes } from '../bus/envelopes.ts';
import { monotonicNowMs } from '../host/clock.ts';
import type { AcknowledgedBatch, AcknowledgedBatches } from './acknowledged-batches.ts';
import { type Allowance, refill } from './allowance.ts';
import { type Attempt, begin, type Cursor, newCursor, refuse, STREAMS, settle, settleAgain } from './cursor.ts';
import type { CursorJournal } from './cursor-journal.ts';
import { lookAt } from './log-file.ts';
import { type Mask, maskLine } from './mask-line.ts';
import { BATCH_BYTES, type Files, type Looks, type Taken, takeAgain, takeBatch } from './take-batch.ts';

export interface ShipperOptions {
  readonly host: string;
  readonly service: string;
  readonly instance: number;
  /** The run that wrote what is in files without an index. */
  readonly generation: number;
  readonly files: Files;
  readonly spec: LogSpec;
  readonly maxBehindBytes: number;
  readonly bus: Pick<Bus, 'publishOrdered' | 'isConnected' | 'connectedSinceMs'>;
  readonly envelopes: Envelopes;
  readonly journal: CursorJournal;
  readonly acknowledged: AcknowledgedBatches;
  /** Told when a refusal looks as if the bus had gone back; waits until this settles, for it may `learn` by then. */
  readonly onGoneBack?: (() => Promise<void> | void) | undefined;
  readonly mask: Mask;
}

/** Somebody who has the server put things there could keep ahead of the sequence for ever: then it is stored without. */
const MAX_REFUSALS = 3;
/** A stream may also have dropped what was last for want of room. */
const SENT_AGAIN_EVERY_MS = 10 * 60_000;

/** A line waits at most so long for others to go with. */
const MAX_AGE_MS = 1_000;
/** A line without an end is sent as it is when nothing has followed for so long. */
const PATIENCE_MS = 5_000;

/** The message on its way. */
interface Pending {
  readonly batch: LogBatch;
  readonly attempt: Attempt;
  /** The stream had it, and the bus went back since. */
  readonly isAgain: boolean;
}

export class Shipper {
  readonly #options: ShipperOptions;
  readonly #key: string;
  #cursor: Cursor;
  #allowance: Allowance;
  #looks: Looks = { stdout: undefined, stderr: undefined };
  #formerSizes = { stdout: 0, stderr: 0 };
  #waitingSinceMs: number | undefined;
  #grownAtMs = Number.NEGATIVE_INFINITY;
  /** Of the unread rest nothing can be sent yet. */
  #isStuck = false;
  #pending: Pending | undefined;
  #isFlushing = false;
  /** What the bus had acknowledged, and may have lost: sent before anything else. */
  #again: AcknowledgedBatch[] = [];
  /** When what a stream had lost was last sent again by a number alone. */
  #sentAgainMs = Number.NEGATIVE_INFINITY;
  /** Of the bus. */
  #incarnation: number | undefined;

  constructor(options: ShipperOptions, key: string, nowMs: number) {
    this.#options = options;
    this.#key = key;
    const saved = options.journal.load(key);
    this.#cursor = saved ?? newCursor(Date.now());
    this.#incarnation = this.#cursor.incarnation;
    // What was written while no agent lived has the allowance of that time, and no burst of its own: a flood whose agents
    // are killed again and again has no more than one that is followed by a single agent.
    const { allowedBytes = options.spec.burstBytes, atMs } = this.#cursor;
    const awayMs = Math.max(0, Date.now() - atMs);
    this.#allowance = refill({ bytes: allowedBytes, atMs: nowMs - awayMs }, options.spec, false, nowMs);
  }

  /** What the bus says of its store, and which batches of this instance it had acknowledged. */
  learn(told: Incarnation, acknowledged: readonly AcknowledgedBatch[]): void {
    const known = this.#incarnation;
    if (known !== undefined && told.incarnation <= known) return;
    this.#incarnation = told.incarnation;
    if (known === undefined) return;
    this.#again = acknowledged.filter(({ seq, incarnation = known }) => {
      return incarnation < told.incarnation && seq > certainlyKept(told, incarnation, 'logs');
    });
  }

  /** All that can be sent without waiting for the end of a line is to be sent now. */
  flush(): void {
    this.#isFlushing = true;
  }

  /** Looks at the files. Is there something to send now? */
  isDue(nowMs: number): boolean {
    const before = this.#looks;
    this.#looks = this.#look();
    for (const stream of STREAMS) {
      const former = before[stream];
      const now = this.#looks[stream];
      if (former?.size === now?.size && former?.inode === now?.inode) continue;
      this.#formerSizes[stream] = former?.size ?? 0;
      this.#grownAtMs = nowMs;
      this.#isStuck = false;
    }
    const unreadBytes = this.#unreadBytes();
    const isAllRead = unreadBytes === 0 && this.#cursor.attempt === undefined && this.#again.length === 0;
    this.#allowance = refill(this.#allowance, this.#options.spec, isAllRead, nowMs);
    if (isAllRead) {
      this.#waitingSinceMs = undefined;
      return false;
    }
    this.#waitingSinceMs ??= nowMs;
    if (this.#isStuck && this.#again.length === 0 && !this.#isFinal(nowMs)) return false;
    // Waiting would earn it an allowance: so a flood is sent as far as it may, and then left out.
    const isEnough = unreadBytes >= BATCH_BYTES && this.#allowance.bytes > 0;
    return isEnough || this.#isFlushing || this.#again.length > 0 || nowMs - this.#waitingSinceMs >= MAX_AGE_MS;
  }

  /** Everything that was there at the last look is in the stream. */
  get isIdle(): boolean {
    return this.#waitingSinceMs === undefined;
  }

  /**
   * Sends one message, if there is one to send. Answers whether another may follow at once.
   * @throws what the bus, or the disk with the cursor, refuses: to be tried again later
   */
  async step(nowMs: number): Promise<boolean> {
    // What is older goes first; what was under way is on record, and made again.
    if (this.#again.length > 0 && this.#pending?.isAgain !== true) this.#pending = await this.#takeAgain();
    this.#pending ??= await this.#resume();
    this.#pending ??= await this.#take(nowMs);
    if (this.#pending === undefined) {
      this.#isStuck = true;
      return false;
    }
    await this.#send(this.#pending);
    this.#waitingSinceMs = nowMs;
    return this.isDue(nowMs);
  }

  /** A message that is on its way since before this agent. */
  async #resume(): Promise<Pending | undefined> {
    const { attempt } = this.#cursor;
    if (attempt === undefined) return undefined;
    return { attempt, batch: this.#batch(attempt, await takeAgain(this.#options.files, attempt)), isAgain: false };
  }

  async #takeAgain(): Promise<Pending | undefined> {
    const attempt = this.#again[0]?.attempt;
    if (attempt === undefined) return undefined;
    return { attempt, batch: this.#batch(attempt, await takeAgain(this.#options.files, attempt)), isAgain: true };
  }

  async #take(nowMs: number): Promise<Pending | undefined> {
    const { files, spec, maxBehindBytes, generation } = this.#options;
    const taken = await takeBatch({
      files,
      done: this.#cursor.done,
      looks: this.#looks,
      formerSizes: this.#formerSizes,
      generation,
      isFinal: this.#isFinal(nowMs),
      allowedBytes: this.#allowance.bytes,
      rateBytesPerSecond: spec.rateBytesPerSecond,
      maxBehindBytes,
    });
    if (taken === undefined) return undefined;
    const { from, to, gaps, usedBytes } = taken;
    const attempt: Attempt = { id: uuidv7(), generation: taken.generation, from, to, gaps: [...gaps] };
    const bytes = this.#allowance.bytes - usedBytes;
    this.#save(begin(this.#cursor, attempt, bytes, Date.now()));
    this.#allowance = { ...this.#allowance, bytes };
    return { attempt, batch: this.#batch(attempt, taken), isAgain: false };
  }

  #batch({ id, generation }: Attempt, { lines, gaps }: Pick<Taken, 'lines' | 'gaps'>): LogBatch {
    const { host, service, instance, envelopes, mask } = this.#options;
    const masked = lines.map((line) => maskLine(line, mask));
    return { ...envelopes.next(), id, host, service, instance, generation, lines: masked, gaps: [...gaps] };
  }

  async #send(pending: Pending): Promise<void> {
    const { bus, host, service, instance } = this.#options;
    const { batch, isAgain } = pending;
    const messageId = messageIdOf('', this.#key, batch.id);
    for (let refusals = 0; ; refusals += 1) {
      const expected = this.#cursor.lastSeq ?? 0;
      const options = { messageId, ...(refusals < MAX_REFUSALS && { expectedLastSeq: expected }) };
      const attempt = await attemptToStore(() =>
        bus.publishOrdered(rows.instanceLog, { host, service, instance }, batch, options),
      );
      if (attempt.outcome === 'stored') {
        this.#stored(pending, attempt.seq);
        return;
      }
      if (attempt.outcome === 'failed' || refusals > MAX_REFUSALS) throw attempt.error;
      this.#save(refuse(this.#cursor, attempt.lastSeq));
      if (attempt.lastSeq >= expected || isAgain) continue;
      await this.#goneBack(attempt.lastSeq);
      if (this.#again.length > 0) return;
    }
  }

  #stored({ attempt, isAgain }: Pending, seq: number): void {
    const incarnation = this.#incarnation;
    this.#pending = undefined;
    this.#options.acknowledged.note(this.#key, { seq, attempt, ...(incarnation !== undefined && { incarnation }) });
    if (isAgain) this.#again.shift();
    this.#cursor = isAgain ? settleAgain(this.#cursor, seq) : settle(this.#cursor, seq);
    // Only once all of it is there again: else the next agent sends the rest.
    if (this.#again.length === 0 && incarnation !== undefined) this.#cursor = { ...this.#cursor, incarnation };
    // If the disk does not take it, the next agent finds out in the same way.
    this.#save(this.#cursor);
  }

  /** A sequence below the known one: the bus was restored, or has dropped what was last here for want of room. */
  async #goneBack(lastSeq: number): Promise<void> {
    const { acknowledged, bus, onGoneBack } = this.#options;
    const known = this.#incarnation;
    await onGoneBack?.();
    // On another connection it may be another store.
    const sinceMs = Math.max(monotonicNowMs() - SENT_AGAIN_EVERY_MS, bus.connectedSinceMs ?? 0);
    if (this.#incarnation !== known || this.#sentAgainMs > sinceMs) return;
    this.#sentAgainMs = monotonicNowMs();
    this.#again = (acknowledged.read().get(this.#key) ?? []).filter(({ seq }) => seq > lastSeq);
  }

  /** @throws when the disk does not take it; then nothing has changed */
  #save(cursor: Cursor): void {
    this.#options.journal.save(this.#key, cursor);
    this.#cursor = cursor;
  }

  #look(): Looks {
    const { files } = this.#options;
    return { stdout: lookAt(files.stdout), stderr: lookAt(files.stderr) };
  }

  #isFinal(nowMs: number): boolean {
    return this.#isFlushing || nowMs - this.#grownAtMs >= PATIENCE_MS;
  }

  #unreadBytes(): number {
    let bytes = 0;
    for (const stream of STREAMS) {
      const look = this.#looks[stream];
      const { inode, offset } = this.#cursor.done[stream];
      if (look === undefined) continue;
      const isSame = look.inode === inode && look.size >= offset;
      // A file that was cut off or replaced is something to tell, even while it is empty.
      bytes += isSame ? look.size - offset : look.size + (inode === 0 ? 0 : 1);
    }
    return bytes;
  }
}
