/*
 * Log files as they are read. The output writer writes them in a process of its own, so all that is known of a file is what a look says.
 * Reading is synchronous, in small slices: what was written a moment ago is in memory, and handing 64 KiB to a thread
 * and back costs more than reading it.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { countLines, endOfLastLine } from './cut-lines.ts';

export interface Look {
  readonly inode: number;
  readonly size: number;
}

/** `undefined` while there is no such file. */
export function lookAt(file: string): Look | undefined {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? undefined : { inode: stat.ino, size: stat.size };
}

const SLICE_BYTES = 256 * 1024;
/** One for all: a slice is done with before the next one is read. */
const slice = Buffer.allocUnsafe(SLICE_BYTES);

export class LogFile implements Disposable {
  readonly #descriptor: number;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** `undefined` when the file of that name is gone or is another one by now. */
  static open(file: string, inode: number): LogFile | undefined {
    let descriptor: number;
    try {
      descriptor = openSync(file, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    if (fstatSync(descriptor).ino === inode) return new LogFile(descriptor);
    closeSync(descriptor);
    return undefined;
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  /** Valid until the next read of any file. Shorter than asked for at the file's end. */
  read(from: number, bytes: number): Buffer {
    const length = readSync(this.#descriptor, slice, 0, Math.min(bytes, SLICE_BYTES), from);
    return slice.subarray(0, length);
  }

  /**
   * From `from` to the end of the last line before `until`; at most `maxBytes`. Where a line is longer than a slice,
   * to its middle. Counts what it passes, and lets others have their turn meanwhile.
   */
  async pass(from: number, until: number, maxBytes: number): Promise<{ readonly to: number; readonly lines: number }> {
    const end = Math.min(until, from + maxBytes);
    let to = from;
    let lines = 0;
    while (to < end) {
      const bytes = this.read(to, end - to);
      if (bytes.length === 0) break;
      const isLast = to + bytes.length >= end;
      const lastLine = endOfLastLine(bytes);
      // Only of a line that is longer than a slice its middle.
      const taken = lastLine === 0 && bytes.length === SLICE_BYTES ? bytes.length : lastLine;
      lines += countLines(bytes.subarray(0, taken));
      to += taken;
      if (isLast || taken === 0) break;
      await nextTurn();
    }
    return { to, lines };
  }
}
