/**
 * What must outlive the agent, in one append-only file: the last line of each key counts. A change is one short write
 * before anything acts on it, where replacing a file would cost a rename. The file is made anew at a start that finds lines
 * that no longer count, and when it has grown.
 *
 * A disk that takes nothing must not end supervision. What it refuses is kept, tried again each second and when the journal
 * is closed. Who may not act before a line is written looks at `refusal`.
 */
import { appendFileSync, closeSync, fstatSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import { replaceFile } from '@muster/contracts/files';
import type { z } from 'zod';
import { lineOf, readLines } from './json-lines.ts';

export interface LastLineJournalOptions<S extends z.ZodType> {
  readonly file: string;
  /** Of one line. */
  readonly schema: S;
  readonly keyOf: (value: z.output<S>) => string;
  /** Is what stands in the file still of use? Default: all of it. */
  readonly isWanted?: (value: z.output<S>) => boolean;
  /** Of more keys the oldest are forgotten. */
  readonly maxKeys?: number;
  /** Does a file that is made anew wait for the disk? Default: no. */
  readonly isDurable?: boolean;
  /** Told once for a row of failed writes, and when the file was taken away. */
  readonly onProblem?: (error: unknown) => void;
}

/** Made anew when this many lines have been added. */
const MAX_ADDED_LINES = 10_000;
/** Between two attempts to write what a full disk has refused. */
const RETRY_MS = 1_000;

export class LastLineJournal<S extends z.ZodType> implements Disposable {
  readonly #options: LastLineJournalOptions<S>;
  readonly #values = new Map<string, z.output<S>>();
  /** Keys whose last line the disk has not taken yet. */
  readonly #unwritten = new Set<string>();
  #retry: NodeJS.Timeout | undefined;
  #refusal: unknown;
  #descriptor: number | undefined;
  #added = 0;

  /** Lines of the file that nobody can read. A kill tears one at most; more were spoiled by somebody. */
  readonly unreadableLines: number;

  /** @throws when the file can't be read, or opened for writing */
  constructor(options: LastLineJournalOptions<S>) {
    const { file, schema, keyOf, isWanted = () => true } = options;
    this.#options = options;
    const { values, unreadable } = readLines(file, schema);
    for (const value of values) if (isWanted(value)) this.#keep(keyOf(value), value);
    this.unreadableLines = unreadable;
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    this.#descriptor = openSync(file, 'a', 0o600);
    if (values.length + unreadable > this.#values.size) this.#shorten();
  }

  get(key: string): z.output<S> | undefined {
    return this.#values.get(key);
  }

  /** Oldest key first. */
  values(): Iterable<z.output<S>> {
    return this.#values.values();
  }

  /** Why something is not written yet; `undefined` when all is. */
  get refusal(): unknown {
    return this.#refusal;
  }

  /**
   * Written when it returns, unless there is a `refusal`. `isDurable`: it also waits for the disk, so that a power cut does
   * not undo it; that takes milliseconds. @throws only when the journal is closed
   */
  set(value: z.output<S>, isDurable = false): void {
    if (this.#descriptor === undefined) throw new Error(`cannot write '${this.#options.file}': it is closed`);
    const key = this.#options.keyOf(value);
    const before = this.#values.get(key);
    if (before !== undefined && lineOf(before) === lineOf(value)) return;
    this.#keep(key, value);
    this.#unwritten.add(key);
    // While the disk refuses, one attempt at a time for all keys.
    if (this.#retry === undefined) this.#write(isDurable);
  }

  /** Writes all of it again when the file was deleted or replaced: what is appended to it then, nobody would find. */
  restoreIfTaken(): void {
    if (this.#retry === undefined) this.#write(false);
  }

  /** Writes what is missing, if the disk takes it now. */
  [Symbol.dispose](): void {
    if (this.#descriptor === undefined) return;
    if (this.#retry !== undefined) this.#write(true);
    clearTimeout(this.#retry);
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #keep(key: string, value: z.output<S>): void {
    this.#values.set(key, value);
    const [oldest] = this.#values.size > (this.#options.maxKeys ?? Number.POSITIVE_INFINITY) ? this.#values.keys() : [];
    if (oldest !== undefined) this.#values.delete(oldest);
  }

  #write(isDurable: boolean): void {
    const { file, onProblem } = this.#options;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    try {
      if (this.#isTaken()) {
        this.#replace();
        onProblem?.(new Error(`'${file}' was deleted or replaced: all of it is written again`));
      }
      this.#append(isDurable);
      this.#refusal = undefined;
    } catch (error) {
      if (this.#refusal === undefined) onProblem?.(error);
      this.#refusal = error;
      this.#retry = setTimeout(() => this.#write(true), RETRY_MS).unref();
      return;
    }
    if (this.#added >= MAX_ADDED_LINES) this.#shorten();
  }

  #append(isDurable: boolean): void {
    const descriptor = this.#opened();
    for (const key of this.#unwritten) {
      const value = this.#values.get(key);
      if (value !== undefined) appendFileSync(descriptor, lineOf(value));
      this.#unwritten.delete(key);
      this.#added += 1;
    }
    if (isDurable) fsyncSync(descriptor);
  }

  /** The longer file says the same: where it can't be made shorter it is gone on with. */
  #shorten(): void {
    try {
      this.#replace();
    } catch (error) {
      this.#added = 0;
      this.#options.onProblem?.(error);
    }
  }

  #replace(): void {
    const { file, isDurable = false } = this.#options;
    replaceFile(file, [...this.#values.values()].map(lineOf).join(''), { isDurable });
    const former = this.#opened();
    this.#descriptor = openSync(file, 'a', 0o600);
    closeSync(former);
    this.#added = 0;
    this.#unwritten.clear();
  }

  #isTaken(): boolean {
    const there = statSync(this.#options.file, { throwIfNoEntry: false });
    const open = fstatSync(this.#opened());
    return there?.ino !== open.ino || there.dev !== open.dev;
  }

  #opened(): number {
    if (this.#descriptor === undefined) throw new Error(`cannot write '${this.#options.file}': it is closed`);
    return this.#descriptor;
  }
}
