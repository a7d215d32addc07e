/**
 * The cursors of all instances on disk. A message costs two short writes: what is about to be sent, and that it has arrived.
 */
import { z } from 'zod';
import { LastLineJournal } from '../state/last-line-journal.ts';
import { Cursor } from './cursor.ts';

const Line = z.object({ key: z.string(), cursor: Cursor });

export class CursorJournal implements Disposable {
  readonly #journal: LastLineJournal<typeof Line>;

  /** @throws when the file can't be opened */
  constructor(file: string) {
    this.#journal = new LastLineJournal({ file, schema: Line, keyOf: ({ key }) => key });
  }

  load(key: string): Cursor | undefined {
    return this.#journal.get(key)?.cursor;
  }

  /** Written when it returns. @throws when the disk does not take it, or the journal is closed */
  save(key: string, cursor: Cursor): void {
    this.#journal.set({ key, cursor });
    const { refusal } = this.#journal;
    if (refusal !== undefined) throw refusal;
  }

  [Symbol.dispose](): void {
    this.#journal[Symbol.dispose]();
  }
}
