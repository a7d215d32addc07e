/**
 * Which batches of lines the stream has acknowledged lately, on disk only: from their files they can be made again when the bus
 * has lost them. A reserve: what cannot be noted is not.
 */
import { appendFileSync, closeSync, openSync, renameSync, statSync } from 'node:fs';
import { z } from 'zod';
import { lineOf, readLines } from '../state/json-lines.ts';
import { Attempt } from './cursor.ts';

const Line = z.object({
  key: z.string(),
  seq: z.int().min(0),
  /** Of the bus, as far as it was known. */
  incarnation: z.int().min(0).optional(),
  attempt: Attempt,
});
export type AcknowledgedBatch = Omit<z.infer<typeof Line>, 'key'>;

/** Two files of this size at most: some 10,000 batches. */
const MAX_BYTES = 2 * 1024 * 1024;
const MAX_AGE_MS = 24 * 3_600_000;

export class AcknowledgedBatches implements Disposable {
  readonly #file: string;
  #descriptor: number | undefined;
  #bytes = 0;

  constructor(file: string) {
    this.#file = file;
  }

  note(key: string, batch: AcknowledgedBatch): void {
    const text = lineOf({ key, ...batch });
    try {
      if (this.#bytes + text.length > MAX_BYTES) this.#turn();
      this.#descriptor ??= this.#open();
      appendFileSync(this.#descriptor, text);
      this.#bytes += text.length;
    } catch {
      // It is sent again then only as far as it is known.
    }
  }

  /** By instance, oldest first; of one that was acknowledged twice the last time counts. */
  read(): ReadonlyMap<string, readonly AcknowledgedBatch[]> {
    const byKey = new Map<string, Map<string, AcknowledgedBatch>>();
    for (const { key, ...batch } of [`${this.#file}.old`, this.#file].flatMap(linesOf)) {
      const batches = byKey.get(key) ?? new Map<string, AcknowledgedBatch>();
      byKey.set(key, batches.set(batch.attempt.id, batch));
    }
    return new Map([...byKey].map(([key, batches]) => [key, [...batches.values()]]));
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    const descriptor = openSync(this.#file, 'a', 0o600);
    this.#bytes = statSync(this.#file).size;
    return descriptor;
  }

  #turn(): void {
    this[Symbol.dispose]();
    renameSync(this.#file, `${this.#file}.old`);
    this.#bytes = 0;
  }
}

/** None of a file that is too old. */
function linesOf(file: string): readonly z.infer<typeof Line>[] {
  const { mtimeMs = 0 } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return Date.now() - mtimeMs > MAX_AGE_MS ? [] : readLines(file, Line).values;
}
