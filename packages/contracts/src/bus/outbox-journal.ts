/*
 * What the outbox knows, on disk: one append-only file of JSON lines.
 *
 * A line is in the file before what it announces is done: a message before `append` returns, an attempt before the
 * message is sent. After `kill -9` the file therefore says of each message whether it may have been sent, and against
 * which last sequence of its subject. When the file has grown, what is still needed is written to a new one, which takes
 * its place by a rename; until the old one is deleted both are read, and reading a line twice changes nothing.
 *
 * Lines are written over empty ones, of which there is always a reserve: on a disk that is full it lasts for hundreds of
 * messages. What then finds no room is not in the file; messages among it are counted in a file beside it, over digits that
 * are there.
 */
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { dropKept, keepFile, readKept } from './outbox-kept.ts';
import {
  type AcknowledgedMessage,
  type FoundContents,
  type JournalContents,
  type JournalLine,
  linesOf,
  Reading,
  settledBy,
} from './outbox-lines.ts';

const FILE_NAME = /^journal-(\d{10})\.jsonl$/;
/** Holds how many messages the disk did not take: written in place, which a full disk allows. */
const UNWRITTEN_NAME = 'unwritten';
const UNWRITTEN_DIGITS = 10;
/** Empty lines ahead of what is written, and by how much they are made more at once. */
const RESERVE_BYTES = 256 * 1024;
const STEP_BYTES = 64 * 1024;
/** A file this much larger than what waits in it is written anew. */
const SLACK_BYTES = 4 * 1024 * 1024;
const LINE_FEED = 0x0a;

export class OutboxJournal {
  readonly #directory: string;
  readonly #onProblem: (error: Error) => void;
  #descriptor: number | undefined;
  #generation: number;
  /** How far it is written; what follows are empty lines. */
  #bytes = 0;
  #reservedBytes = 0;
  #isIncomplete = false;
  /** Does its file say of a message that it was stored? */
  #hasStored = false;
  /** Numbers of messages that are in no file, and wait for the bus all the same. */
  readonly #unwritten = new Set<number>();
  /** Messages that the last process took with it, and of which nobody was told yet. */
  #lost: number;
  readonly #countDescriptor: number;

  private constructor(directory: string, generation: number, onProblem: (error: Error) => void) {
    this.#directory = directory;
    this.#generation = generation;
    this.#onProblem = onProblem;
    this.#lost = readUnwritten(directory);
    // Neither cut, which would give its room away, nor appended to, which could not write in place.
    this.#countDescriptor = openSync(join(directory, UNWRITTEN_NAME), constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#writeCount();
  }

  /**
   * Reads what is there and begins a new file with it; on a full disk it goes on in the last one, whose reserve may have room
   * left. @throws when the directory can't be used, or there is neither a file nor room for one
   */
  static open(
    directory: string,
    onProblem: (error: Error) => void,
  ): { journal: OutboxJournal; contents: FoundContents } {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const generations = generationsIn(directory);
    const reading = new Reading();
    for (const generation of generations) reading.addFile(readFileSync(fileOf(directory, generation), 'utf8'));
    const contents = reading.contents();
    const last = generations.at(-1);
    const journal = new OutboxJournal(directory, last ?? 0, onProblem);
    journal.#hasStored = true;
    try {
      journal.#rewriteWithRoom(contents);
    } catch (error) {
      if (last === undefined) throw error;
      journal.#goOnIn(fileOf(directory, last));
      journal.#fail(error);
    }
    return { journal, contents };
  }

  /** Has the disk not taken something? Then `compact` makes it whole, once there is room. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  /** So many messages died with the last process, for the disk had not taken them. */
  get lost(): number {
    return this.#lost;
  }

  /** Somebody was told of them. */
  forgetLost(): void {
    this.#lost = 0;
    this.#writeCount();
  }

  /**
   * True when it is written. Never throws: a full disk must not end the sender. What could not be written is told, and the
   * messages among it are counted, in case that this process ends before there is room.
   */
  append(lines: readonly JournalLine[]): boolean {
    if (this.#descriptor === undefined || lines.length === 0) return true;
    const text = Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    const isWritten = this.#write(this.#descriptor, text);
    this.#hasStored ||= lines.some((line) => 'stored' in line);
    if (!isWritten) for (const line of lines) if ('message' in line) this.#unwritten.add(line.message);
    if (this.#isIncomplete) {
      for (const line of lines) this.#unwritten.delete(settledBy(line));
      this.#writeCount();
    }
    return isWritten;
  }

  #write(descriptor: number, text: Buffer): boolean {
    try {
      this.#reserve(descriptor, this.#bytes + text.length + RESERVE_BYTES);
    } catch (error) {
      this.#fail(error);
    }
    // Beyond the reserve it would be cut off where the disk is full.
    if (this.#bytes + text.length > this.#reservedBytes) return false;
    try {
      writeFully(descriptor, text, this.#bytes);
      this.#bytes += text.length;
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #reserve(descriptor: number, wanted: number): void {
    while (this.#reservedBytes < wanted) {
      writeFully(descriptor, Buffer.alloc(STEP_BYTES, '\n'), this.#reservedBytes);
      this.#reservedBytes += STEP_BYTES;
    }
  }

  #fail(error: unknown): void {
    const isNews = !this.#isIncomplete;
    this.#isIncomplete = true;
    const text = `cannot write to the outbox '${this.#directory}': ${(error as Error).message}`;
    if (isNews) this.#onProblem(new Error(text, { cause: error }));
  }

  /** Has it grown so much that it is worth writing anew, with `waitingBytes` of messages in it? */
  isWorthCompacting(waitingBytes: number): boolean {
    return this.#bytes > SLACK_BYTES + 2 * waitingBytes;
  }

  /** Writes what is still needed to a new file, in the old one's place. False when there is no room for it. Never throws. */
  compact(contents: JournalContents): boolean {
    try {
      this.#rewriteWithRoom(contents);
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  /** What its files, and those that were kept, say of messages that their streams have. @throws when they can't be read */
  acknowledged(): readonly AcknowledgedMessage[] {
    const reading = new Reading(true);
    for (const text of readKept(this.#directory)) reading.addFile(text);
    reading.addFile(readFileSync(fileOf(this.#directory, this.#generation), 'utf8'));
    return reading.acknowledged;
  }

  close(): void {
    this.#closeFile();
    closeSync(this.#countDescriptor);
  }

  #closeFile(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** Over the digits that are there, for which no room is needed. Where that fails as well, the log has what there is. */
  #writeCount(): void {
    const text = countText(this.#lost + this.#unwritten.size);
    try {
      writeSync(this.#countDescriptor, text, 0);
    } catch {}
  }

  /** Behind what is written there. A torn last line is left alone: it ends where the next one begins. */
  #goOnIn(file: string): void {
    const text = readFileSync(file);
    this.#descriptor = openSync(file, 'r+');
    this.#reservedBytes = text.length;
    this.#bytes = Math.min(text.length, lengthWithoutReserve(text) + 1);
  }

  #rewriteWithRoom(contents: JournalContents): void {
    try {
      this.#rewrite(contents);
    } catch {
      dropKept(this.#directory);
      this.#rewrite(contents);
    }
  }

  #rewrite(contents: JournalContents): void {
    const generation = this.#generation + 1;
    const file = fileOf(this.#directory, generation);
    const descriptor = openSync(`${file}.new`, 'w', 0o600);
    const lines = Buffer.from(linesOf(contents));
    const reserve = Buffer.alloc(RESERVE_BYTES, '\n');
    try {
      writeFully(descriptor, lines, 0);
      writeFully(descriptor, reserve, lines.length);
      fsyncSync(descriptor);
      renameSync(`${file}.new`, file);
    } catch (error) {
      closeSync(descriptor);
      // It may be what fills the disk.
      rmSync(`${file}.new`, { force: true });
      throw error;
    }
    this.#closeFile();
    this.#retire(generation);
    this.#descriptor = descriptor;
    this.#generation = generation;
    this.#hasStored = false;
    this.#bytes = lines.length;
    this.#reservedBytes = lines.length + reserve.length;
    if (this.#isIncomplete) {
      this.#isIncomplete = false;
      this.#unwritten.clear();
      this.#writeCount();
    }
  }

  /** Files before this generation are read no more. Oldest first: one may only be missing together with all before it. */
  #retire(generation: number): void {
    for (const old of generationsIn(this.#directory)) {
      if (old >= generation) continue;
      const file = fileOf(this.#directory, old);
      try {
        if (this.#hasStored) keepFile(this.#directory, file, old, lengthWithoutReserve(readFileSync(file)) + 1);
      } catch {
        // A reserve that can't be kept is given up.
      }
      rmSync(file, { force: true });
    }
  }
}

function lengthWithoutReserve(text: Buffer): number {
  let length = text.length;
  while (length > 0 && text[length - 1] === LINE_FEED) length -= 1;
  return length;
}

function countText(count: number): string {
  return `${String(count).padStart(UNWRITTEN_DIGITS, '0')}\n`;
}

/** 0 where nothing is readable. */
function readUnwritten(directory: string): number {
  try {
    return Number.parseInt(readFileSync(join(directory, UNWRITTEN_NAME), 'utf8'), 10) || 0;
  } catch {
    return 0;
  }
}

function generationsIn(directory: string): number[] {
  return readdirSync(directory)
    .map((name) => Number(FILE_NAME.exec(name)?.[1] ?? 0))
    .filter((generation) => generation > 0)
    .sort((a, b) => a - b);
}

function fileOf(directory: string, generation: number): string {
  return join(directory, `journal-${String(generation).padStart(10, '0')}.jsonl`);
}

function writeFully(descriptor: number, bytes: Buffer, at: number): void {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(descriptor, bytes, written, bytes.length - written, at + written);
  }
}
