/*
 * What the output writer is doing right now: which bytes it takes out of a FIFO, and which log file they are for. It stands
 * in a file in memory, so that whoever follows a killed writer knows whether something was read and not written, and how much.
 *
 * Its form: size of the log file before, bytes read (-1: reading, 0: nothing that is not dealt with), both as 8-byte numbers;
 * length and text of its path.
 */
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';

/** Of one read. */
export const READ_BYTES = 64 * 1024;

const HEAD_BYTES = 24;
const READING = -1;

/** What one log file's record says, made once. */
export interface InFlightRecord {
  readonly bytes: Buffer;
}

export function inFlightRecordOf(logFile: string): InFlightRecord {
  const text = Buffer.from(logFile);
  const bytes = Buffer.alloc(HEAD_BYTES + text.length);
  bytes.writeDoubleLE(text.length, 16);
  text.copy(bytes, HEAD_BYTES);
  return { bytes };
}

export class InFlight implements Disposable {
  readonly #file: string;
  readonly #descriptor: number;

  constructor(runtimeFolder: string) {
    this.#file = path.join(runtimeFolder, 'output-in-flight');
    this.#descriptor = openSync(this.#file, 'a', 0o600);
    closeSync(this.#descriptor);
    this.#descriptor = openSync(this.#file, 'r+');
  }

  /** What the last writer had read, and did not write; at most so much, where it was killed while it read. */
  lost(): { readonly logFile: string; readonly bytes: number; readonly isExact: boolean } | undefined {
    const record = readFileSync(this.#file);
    if (record.length < HEAD_BYTES) return undefined;
    const length = record.readDoubleLE(16);
    const logFile = record.toString('utf8', HEAD_BYTES, HEAD_BYTES + length);
    const sizeBefore = record.readDoubleLE(0);
    const read = record.readDoubleLE(8);
    const added = Math.max(0, sizeOf(logFile) - sizeBefore);
    if (read === READING) return added === 0 ? { logFile, bytes: READ_BYTES, isExact: false } : undefined;
    return added < read ? { logFile, bytes: read - added, isExact: true } : undefined;
  }

  reading({ bytes }: InFlightRecord, logSize: number): void {
    bytes.writeDoubleLE(logSize, 0);
    bytes.writeDoubleLE(READING, 8);
    writeSync(this.#descriptor, bytes, 0, bytes.length, 0);
  }

  read({ bytes }: InFlightRecord, count: number): void {
    bytes.writeDoubleLE(count, 8);
    writeSync(this.#descriptor, bytes, 8, 8, 8);
  }

  /** What was read is written, or counted as lost: whatever becomes of the log file from here on. */
  dealtWith(record: InFlightRecord): void {
    this.read(record, 0);
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}

/** 0 where nobody can say. */
function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}
