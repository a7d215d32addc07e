import { setImmediate as nextTurn } from 'node:timers/promises';
import { ENVIRON_BYTES, listProcesses, type ProcessStat, readTag } from './proc.ts';
import type { RunTag } from './tag.ts';

export interface TableRow extends ProcessStat {
  readonly tag: RunTag | undefined;
}

/** Metrics of all services ask within one tick: they share one look. */
const MAX_AGE_MS = 900;

/**
 * All live processes with their tags. A look costs some 20 µs per process of the host, and a hundred services that are
 * stopped together would each want one: whoever asks within one turn of the event loop shares it.
 */
export class ProcessTable {
  readonly #buffer = Buffer.allocUnsafe(ENVIRON_BYTES);
  #rows: readonly TableRow[] = [];
  #readAtMs = Number.NEGATIVE_INFINITY;
  #next: Promise<readonly TableRow[]> | undefined;

  /** At most about a second old: for metrics, never for a decision. */
  recent(): readonly TableRow[] {
    return performance.now() - this.#readAtMs > MAX_AGE_MS ? this.#look() : this.#rows;
  }

  /** From a look that begins after the call. */
  fresh(): Promise<readonly TableRow[]> {
    this.#next ??= nextTurn().then(() => {
      this.#next = undefined;
      return this.#look();
    });
    return this.#next;
  }

  #look(): readonly TableRow[] {
    this.#rows = listProcesses().map((stat) => ({ ...stat, tag: readTag(stat, this.#buffer) }));
    this.#readAtMs = performance.now();
    return this.#rows;
  }
}
