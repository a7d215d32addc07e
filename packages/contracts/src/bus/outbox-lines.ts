/* The lines of an outbox's journal, and what they come to. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { isShallow } from '../any-value.ts';
import { ENCODINGS, type Encoding } from '../envelope.ts';

const SECRET_BYTES = 16;

/** A message that the stream has not acknowledged yet. */
export interface Entry {
  /** Counts the messages of this outbox: the order in which they were appended. */
  readonly number: number;
  readonly subject: string;
  readonly id: string;
  /** The message as JSON text, or in base64 when it is encoded. */
  readonly payload: string;
  readonly encoding: Encoding | undefined;
  /** Behind which sequence it may have been stored by an attempt of which no answer came: the lowest of them. */
  attempt: number | undefined;
  /** The stream had it once, and the bus went back since. */
  readonly isAgain?: true;
}

/** A message that the stream has acknowledged. */
export interface AcknowledgedMessage extends Omit<Entry, 'number' | 'attempt'> {
  readonly seq: number;
  /** Of the bus, as far as it was known then. */
  readonly incarnation: number | undefined;
}

export type JournalLine =
  | {
      readonly message: number;
      readonly subject: string;
      readonly id: string;
      readonly encoding?: Encoding | undefined;
      readonly payload: unknown;
      readonly again?: true | undefined;
    }
  /** About to be sent, to be stored behind `last`. */
  | { readonly attempt: number; readonly last: number }
  /** Certainly not stored by that attempt; the subject's last sequence is `last`. */
  | { readonly refused: number; readonly last: number }
  | { readonly stored: number; readonly last: number }
  /** Given up for want of room. */
  | { readonly dropped: number }
  | { readonly subject: string; readonly last: number }
  /** So many messages have had a number. */
  | { readonly counted: number }
  /** Keeps the ids by which the server knows messages apart from those that others could guess. */
  | { readonly secret: string }
  /** What is stored from here on is of this incarnation of the bus. */
  | { readonly incarnation: number };

const COUNT = z.int().min(0);
/** Deeper than any message is. */
const MAX_PAYLOAD_DEPTH = 64;
const PAYLOAD = z.record(z.string(), z.unknown()).refine((payload) => isShallow(payload, MAX_PAYLOAD_DEPTH));
const AGAIN = z.literal(true).optional();
const LINE: z.ZodType<JournalLine> = z.union([
  z.object({ message: COUNT, subject: z.string().min(1), id: z.string(), payload: PAYLOAD, again: AGAIN }),
  z.object({
    message: COUNT,
    subject: z.string().min(1),
    id: z.string(),
    encoding: z.enum(ENCODINGS),
    payload: z.base64(),
    again: AGAIN,
  }),
  z.object({ attempt: COUNT, last: COUNT }),
  z.object({ refused: COUNT, last: COUNT }),
  z.object({ stored: COUNT, last: COUNT }),
  z.object({ dropped: COUNT }),
  z.object({ subject: z.string().min(1), last: COUNT }),
  z.object({ counted: COUNT }),
  z.object({ secret: z.string().min(1).max(64) }),
  z.object({ incarnation: COUNT }),
]);

/** What the files say. */
export interface JournalContents {
  /** In the order in which they were appended. */
  readonly entries: readonly Entry[];
  /** The last sequence of each subject, as far as it is known. */
  readonly lastSequences: ReadonlyMap<string, number>;
  /** The highest number ever given. */
  readonly lastNumber: number;
  readonly secret: string;
  /** Of the bus, as far as it is known. */
  readonly incarnation: number | undefined;
}

/** What is found of a message that may have been stored. */
export type JournaledMessage = Pick<Entry, 'payload' | 'encoding'>;

/** What the files of the last process say. */
export interface FoundContents extends JournalContents {
  /** The last message of each subject that is still in them, also when it was stored. */
  readonly newest: ReadonlyMap<string, JournaledMessage>;
}

/** The number of the message that waits no more, by this line. */
export function settledBy(line: JournalLine): number {
  if ('stored' in line) return line.stored;
  return 'dropped' in line ? line.dropped : -1;
}

/** The line of a message. */
export function messageLine({ number, subject, id, payload, encoding, isAgain }: Entry): JournalLine {
  const again = isAgain && { again: isAgain };
  if (encoding !== undefined) return { message: number, subject, id, encoding, payload, ...again };
  return { message: number, subject, id, payload: JSON.parse(payload) as unknown, ...again };
}

export function linesOf({ entries, lastSequences, lastNumber, secret, incarnation }: JournalContents): string {
  const lines: JournalLine[] = [{ counted: lastNumber }, { secret }];
  if (incarnation !== undefined) lines.push({ incarnation });
  for (const entry of entries) {
    lines.push(messageLine(entry));
    if (entry.attempt !== undefined) lines.push({ attempt: entry.number, last: entry.attempt });
  }
  for (const [subject, last] of lastSequences) lines.push({ subject, last });
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Folds the lines of all files. */
export class Reading {
  readonly #entries = new Map<number, Entry>();
  /** Those that are in their stream, in the order in which they were appended first. */
  readonly #acknowledged = new Map<string, AcknowledgedMessage>();
  /** `isKeeping`: what has been acknowledged is wanted as well. */
  readonly #isKeeping: boolean;
  readonly #settled = new Set<number>();
  readonly #lastSequences = new Map<string, number>();
  readonly #newest = new Map<string, JournaledMessage>();
  #lastNumber = 0;
  #secret: string | undefined;
  #incarnation: number | undefined;

  constructor(isKeeping = false) {
    this.#isKeeping = isKeeping;
  }

  get acknowledged(): readonly AcknowledgedMessage[] {
    return [...this.#acknowledged.values()];
  }

  addFile(text: string): void {
    for (const line of text.trimEnd().split('\n')) {
      const parsed = parseLine(line);
      if (parsed !== undefined) this.#add(parsed);
    }
  }

  contents(): FoundContents {
    // What is sent again is older than what waits, though its number is higher.
    const rank = ({ isAgain }: Entry) => (isAgain ? 0 : 1);
    const entries = [...this.#entries.values()].sort((a, b) => rank(a) - rank(b) || a.number - b.number);
    return {
      entries,
      lastSequences: this.#lastSequences,
      lastNumber: this.#lastNumber,
      newest: this.#newest,
      secret: this.#secret ?? randomBytes(SECRET_BYTES).toString('base64url'),
      incarnation: this.#incarnation,
    };
  }

  #add(line: JournalLine): void {
    if ('message' in line) {
      this.#lastNumber = Math.max(this.#lastNumber, line.message);
      const { message: number, subject, id, encoding } = line;
      const payload = typeof line.payload === 'string' ? line.payload : JSON.stringify(line.payload);
      this.#newest.set(subject, { payload, encoding });
      if (this.#settled.has(number)) return;
      const attempt = this.#entries.get(number)?.attempt;
      const again = line.again && { isAgain: line.again };
      this.#entries.set(number, { number, subject, id, payload, encoding, attempt, ...again });
    } else if ('attempt' in line) {
      this.#note(line.attempt, this.#entries.get(line.attempt)?.attempt ?? line.last, line.last);
    } else if ('refused' in line) {
      this.#note(line.refused, undefined, line.last);
    } else if ('stored' in line) {
      this.#note(line.stored, undefined, line.last);
      this.#acknowledge(line.stored, line.last);
      this.#settle(line.stored);
    } else if ('dropped' in line) {
      this.#settle(line.dropped);
    } else if ('counted' in line) {
      this.#lastNumber = Math.max(this.#lastNumber, line.counted);
    } else if ('secret' in line) {
      this.#secret = line.secret;
    } else if ('incarnation' in line) {
      this.#incarnation = line.incarnation;
    } else {
      this.#lastSequences.set(line.subject, line.last);
    }
  }

  #acknowledge(number: number, seq: number): void {
    const entry = this.#isKeeping ? this.#entries.get(number) : undefined;
    if (entry === undefined) return;
    const { number: _number, attempt: _attempt, ...message } = entry;
    // Of one that is stored again, the last time counts, in its old place.
    this.#acknowledged.set(`${message.id} ${message.subject}`, { ...message, seq, incarnation: this.#incarnation });
  }

  #note(number: number, attempt: number | undefined, last: number): void {
    const entry = this.#entries.get(number);
    if (entry === undefined) return;
    entry.attempt = attempt;
    this.#lastSequences.set(entry.subject, last);
  }

  #settle(number: number): void {
    this.#entries.delete(number);
    this.#settled.add(number);
  }
}

/** `undefined` for a line that was cut off, or that is none of ours: it must not keep the sender from starting. */
function parseLine(line: string): JournalLine | undefined {
  if (line === '') return undefined;
  try {
    return LINE.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
