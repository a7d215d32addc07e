/*
 * Beside each log file lies its index: from which byte on what stands there was written when, and by which run of the
 * service. An entry is three numbers of 8 bytes, so it is found by its place. The output writer adds one at most every
 * few milliseconds, and keeps the newest.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, renameSync, writeSync } from 'node:fs';

export interface IndexEntry {
  /** Where in the log file it begins. */
  readonly offset: number;
  /** By the wall clock. */
  readonly timeMs: number;
  readonly generation: number;
}

const ENTRY_BYTES = 24;
/** A line's time is that of its entry: so exact it is. */
const STEP_MS = 10;
/** A megabyte: of a service that prints once a second those of twelve hours. */
const MAX_ENTRIES = 43_690;

function indexOf(logFile: string): string {
  return `${logFile}.index`;
}

/** The writing side. What the disk does not take is left out: then lines have the time of those before. */
export class LogIndexWriter implements Disposable {
  readonly #file: string;
  #descriptor: number;
  #entries: number;
  #last: IndexEntry | undefined;

  /** @throws when the file can't be opened */
  constructor(logFile: string) {
    this.#file = indexOf(logFile);
    this.#descriptor = openSync(this.#file, constants.O_RDWR | constants.O_CREAT, 0o600);
    this.#entries = Math.floor(fstatSync(this.#descriptor).size / ENTRY_BYTES);
    this.#last = this.#entries === 0 ? undefined : readEntries(this.#descriptor, this.#entries - 1, 1)[0];
  }

  /** What is about to be written at `offset`. */
  note(entry: IndexEntry): void {
    const last = this.#last;
    try {
      // Somebody has cut off the log file, or put another in its place.
      if (last !== undefined && entry.offset < last.offset) this.#cutTo(0);
      // Absolute: of a clock that was set back as well.
      else if (last?.generation === entry.generation && Math.abs(entry.timeMs - last.timeMs) < STEP_MS) return;
      if (this.#entries >= MAX_ENTRIES) this.#forgetOlderHalf();
      const bytes = Buffer.from(new Float64Array([entry.offset, entry.timeMs, entry.generation]).buffer);
      if (writeSync(this.#descriptor, bytes, 0, ENTRY_BYTES, this.#entries * ENTRY_BYTES) < ENTRY_BYTES) return;
      this.#entries += 1;
      this.#last = entry;
    } catch {
      // The disk is full.
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #cutTo(entries: number): void {
    ftruncateSync(this.#descriptor, entries * ENTRY_BYTES);
    this.#entries = entries;
    this.#last = undefined;
  }

  /** By rename: a reader has the whole of the one or of the other. */
  #forgetOlderHalf(): void {
    const kept = MAX_ENTRIES >> 1;
    const bytes = Buffer.alloc(kept * ENTRY_BYTES);
    readSync(this.#descriptor, bytes, 0, bytes.length, (this.#entries - kept) * ENTRY_BYTES);
    const descriptor = openSync(`${this.#file}.new`, 'w+', 0o600);
    try {
      writeSync(descriptor, bytes);
      renameSync(`${this.#file}.new`, this.#file);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
    closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    this.#entries = kept;
  }
}

/**
 * What is known of the bytes from `from` to `until`: the first entry is the one that `from` belongs to, where there is one.
 * Empty for a file that no output writer has written, or whose index can't be read.
 */
export function readIndex(logFile: string, from: number, until: number): readonly IndexEntry[] {
  let descriptor: number;
  try {
    descriptor = openSync(indexOf(logFile), 'r');
  } catch {
    return [];
  }
  try {
    const count = Math.floor(fstatSync(descriptor).size / ENTRY_BYTES);
    const first = Math.max(0, firstBehind(descriptor, count, from) - 1);
    return readEntries(descriptor, first, firstBehind(descriptor, count, until) - first);
  } catch {
    return [];
  } finally {
    closeSync(descriptor);
  }
}

/** The place of the first entry that begins behind `offset`: they are in order. */
function firstBehind(descriptor: number, count: number, offset: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((readEntries(descriptor, middle, 1)[0]?.offset ?? Number.POSITIVE_INFINITY) <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function readEntries(descriptor: number, place: number, count: number): IndexEntry[] {
  const numbers = new Float64Array(Math.max(0, count) * 3);
  const bytes = Buffer.from(numbers.buffer);
  const length = bytes.length === 0 ? 0 : readSync(descriptor, bytes, 0, bytes.length, place * ENTRY_BYTES);
  return Array.from({ length: Math.floor(length / ENTRY_BYTES) }, (_, entry) => {
    const [offset = 0, timeMs = 0, generation = 0] = numbers.subarray(entry * 3, entry * 3 + 3);
    return { offset, timeMs, generation };
  });
}

/** Tells when the byte at an offset was written, in UTC; `undefined` where nobody knows. Quickest when asked in order. */
export function clockOf(entries: readonly IndexEntry[]): (offset: number) => string | undefined {
  let next = 0;
  let time: string | undefined;
  return (offset) => {
    for (let entry = entries[next]; entry !== undefined && entry.offset <= offset; entry = entries[next]) {
      next += 1;
      if ((entries[next]?.offset ?? Number.POSITIVE_INFINITY) > offset) time = new Date(entry.timeMs).toISOString();
    }
    return time;
  };
}
