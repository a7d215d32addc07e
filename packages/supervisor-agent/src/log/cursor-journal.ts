/**
 * The cursors of all instances on disk, in one append-only file: the last line of each counts. A message costs two short
 * writes: what is about to be sent, and that it has arrived.
 */
import { appendFileSync, closeSync, mkdirSync, openSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { readFileIfAny, replaceFile } from '../state/atomic-file.ts';
import { Cursor } from './cursor.ts';

const Line = z.object({ key: z.string(), cursor: Cursor });

/** Rewritten when this many lines have been added. */
const MAX_ADDED_LINES = 10_000;

export class CursorJournal implements Disposable {
  readonly #file: string;
  readonly #lines = new Map<string, string>();
  readonly #cursors = new Map<string, Cursor>();
  #descriptor: number | undefined;
  #added = 0;

  /** @throws when the file can't be written */
  constructor(file: string) {
    this.#file = file;
    for (const text of (readFileIfAny(file) ?? '').split('\n')) {
      const line = parse(text);
      if (line === undefined) continue;
      this.#lines.set(line.key, text);
      this.#cursors.set(line.key, line.cursor);
    }
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    this.#descriptor = this.#rewrite();
  }

  load(key: string): Cursor | undefined {
    return this.#cursors.get(key);
  }

  /** Written when it returns. @throws when the disk does not take it, or the journal is closed */
  save(key: string, cursor: Cursor): void {
    if (this.#descriptor === undefined) throw new Error(`cannot write '${this.#file}': it is closed`);
    const text = JSON.stringify({ key, cursor });
    // The line break comes first: a line torn by a kill or a full disk then spoils itself only.
    appendFileSync(this.#descriptor, `\n${text}`);
    this.#lines.set(key, text);
    this.#added += 1;
    if (this.#added < MAX_ADDED_LINES) return;
    const former = this.#descriptor;
    this.#descriptor = this.#rewrite();
    closeSync(former);
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  /** Returns the descriptor to append to. */
  #rewrite(): number {
    replaceFile(this.#file, [...this.#lines.values()].map((line) => `\n${line}`).join(''));
    this.#added = 0;
    return openSync(this.#file, 'a', 0o600);
  }
}

function parse(text: string): z.infer<typeof Line> | undefined {
  if (text === '') return undefined;
  try {
    return Line.parse(JSON.parse(text));
  } catch {
    // Torn by a kill: what it was about has not been done.
    return undefined;
  }
}
