import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Reads files of /proc, synchronously (they never block) and into one buffer, since a tick reads hundreds of them.
 * What can't be read, for want of rights or because the process is gone, is `undefined`.
 */
export class ProcReader {
  readonly #dir: string;
  readonly #kept = new Map<string, number>();
  #buffer = Buffer.allocUnsafe(16 * 1024);

  constructor(dir = '/proc') {
    this.#dir = dir;
  }

  /** A file of one process, which the kernel hands out in one piece, until the next is read. `path` is relative to /proc. */
  read(path: string): Buffer | undefined {
    let fd: number;
    try {
      fd = openSync(`${this.#dir}/${path}`, 'r');
    } catch {
      return undefined;
    }
    try {
      return this.#buffer.subarray(0, readSync(fd, this.#buffer, 0, this.#buffer.length, 0));
    } catch {
      return undefined;
    } finally {
      closeSync(fd);
    }
  }

  /** The text of a file that is read each tick and exists as long as the kernel: it stays open. */
  readKept(path: string): string | undefined {
    let fd = this.#kept.get(path);
    try {
      if (fd === undefined) {
        fd = openSync(join(this.#dir, path), 'r');
        this.#kept.set(path, fd);
      }
      return this.#readWhole(fd);
    } catch {
      return undefined;
    }
  }

  /** The pids of all processes. */
  pids(): number[] {
    const pids: number[] = [];
    for (const name of readdirSync(this.#dir)) {
      const code = name.charCodeAt(0);
      if (code >= 0x30 && code <= 0x39) pids.push(Number(name));
    }
    return pids;
  }

  [Symbol.dispose](): void {
    for (const fd of this.#kept.values()) closeSync(fd);
    this.#kept.clear();
  }

  /** The kernel hands out long lists about a page at a time, so only an empty read is the end. */
  #readWhole(fd: number): string {
    for (let length = 0; ; ) {
      const read = readSync(fd, this.#buffer, length, this.#buffer.length - length, length);
      if (read === 0) return this.#buffer.toString('utf8', 0, length);
      length += read;
      if (length === this.#buffer.length) this.#buffer = Buffer.concat([this.#buffer], this.#buffer.length * 2);
    }
  }
}
