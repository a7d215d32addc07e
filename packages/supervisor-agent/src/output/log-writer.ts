/*
 * One log file as the output writer fills it. What the disk does not take is dropped, for a full disk must not stop a
 * service, and counted; so is what a killed writer had read and not written. The count is kept in the runtime folder, which
 * is in memory, until it stands in the log itself, as a line where the bytes are missing.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { LogIndexWriter } from './log-index.ts';

interface Loss {
  readonly bytes: number;
  /** Nobody knows more than that it was no more. */
  readonly isUpTo: boolean;
  readonly reason: string;
}

export class LogWriter implements Disposable {
  readonly file: string;
  readonly #lossFile: string;
  #descriptor: number | undefined;
  /** What it was when it was opened. */
  #opened: Stats | undefined;
  #index: LogIndexWriter | undefined;
  #size = 0;
  #loss: Loss | undefined;

  /** `runtimeFolder` is where losses are kept. Opens nothing yet. */
  constructor(file: string, runtimeFolder: string) {
    this.file = file;
    const name = createHash('sha256').update(file).digest('hex').slice(0, 16);
    this.#lossFile = path.join(runtimeFolder, `output-lost-${name}`);
    this.#loss = existsSync(this.#lossFile) ? readLoss(this.#lossFile) : undefined;
  }

  /** Whoever follows a log finds it, also before its service has printed. Never throws. */
  make(): void {
    try {
      if (existsSync(this.file)) return;
      mkdirSync(path.dirname(this.file), { recursive: true, mode: 0o700 });
      closeSync(openSync(this.file, 'a', 0o600));
    } catch {
      // The `append` counts what is lost.
    }
  }

  /** To be called right before an `append`, by a run of that number; returns the file's size. Never throws. */
  prepare(generation: number): number {
    try {
      this.#look();
      if (this.#loss !== undefined) this.#tellLoss(this.#loss, generation);
    } catch {
      // The `append` counts what is lost.
    }
    return this.#size;
  }

  /** Right after a `prepare`. Never throws. */
  append(bytes: Buffer, generation: number): void {
    let written = 0;
    try {
      if (this.#loss !== undefined) throw new Error(this.#loss.reason);
      this.#open();
      this.#index?.note({ offset: this.#size, timeMs: Date.now(), generation });
      while (written < bytes.length) written += this.#write(bytes.subarray(written));
    } catch (error) {
      this.lose(bytes.length - written, `its log file could not be written (${codeOf(error)})`);
    }
  }

  /** To be told by the next `prepare` that can. Never throws. */
  lose(bytes: number, reason: string, isUpTo = false): void {
    const { bytes: before = 0, isUpTo: wasUpTo = false, reason: first = reason } = this.#loss ?? {};
    this.#loss = { bytes: before + bytes, isUpTo: wasUpTo || isUpTo, reason: first };
    try {
      writeFileSync(this.#lossFile, JSON.stringify(this.#loss), { mode: 0o600 });
    } catch {
      // Then it is known to this process only.
    }
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#index?.[Symbol.dispose]();
    this.#index = undefined;
  }

  #look(): void {
    this.#size = 0;
    if (this.#descriptor === undefined) return;
    const found = statSync(this.file, { throwIfNoEntry: false });
    if (found !== undefined && found.ino === this.#opened?.ino && found.dev === this.#opened.dev)
      this.#size = found.size;
    // Somebody has deleted it or moved it away: what follows makes another.
    else this[Symbol.dispose]();
  }

  #open(): void {
    if (this.#descriptor !== undefined) return;
    const folder = path.dirname(this.file);
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#descriptor = openSync(this.file, 'a+', 0o600);
    this.#opened = fstatSync(this.#descriptor);
    this.#size = this.#opened.size;
    this.#index = openIndex(this.file);
  }

  #tellLoss({ bytes, isUpTo, reason }: Loss, generation: number): void {
    this.#open();
    const amount = isUpTo ? `up to ${bytes}` : bytes;
    const text = `muster: ${amount} bytes of this output are missing here: ${reason}\n`;
    const line = Buffer.from(this.#endsALine() ? text : `\n${text}`);
    this.#index?.note({ offset: this.#size, timeMs: Date.now(), generation });
    if (this.#write(line) < line.length) throw new Error(`no room in '${this.file}'`);
    this.#loss = undefined;
    rmSync(this.#lossFile, { force: true });
  }

  /** As much as there is room for. @throws when there is none */
  #write(bytes: Buffer): number {
    if (this.#descriptor === undefined) throw new Error('closed');
    const written = writeSync(this.#descriptor, bytes);
    this.#size += written;
    return written;
  }

  #endsALine(): boolean {
    const last = Buffer.alloc(1);
    if (this.#size === 0 || this.#descriptor === undefined) return true;
    readSync(this.#descriptor, last, 0, 1, this.#size - 1);
    return last[0] === 0x0a;
  }
}

/** `undefined`: it can't be opened. Then lines have no time of their own, but they are there. */
function openIndex(file: string): LogIndexWriter | undefined {
  try {
    return new LogIndexWriter(file);
  } catch {
    return undefined;
  }
}

function readLoss(file: string): Loss | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Loss;
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
