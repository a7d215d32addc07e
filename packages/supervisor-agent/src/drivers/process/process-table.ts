import { listProcesses, listTagged, type ProcessStat } from './proc.ts';
import type { RunTag } from './tag.ts';

export interface TableRow extends ProcessStat {
  readonly tag: RunTag | undefined;
}

/** Metrics of all services ask within one tick: they share one look. */
const MAX_AGE_MS = 900;

/** All live processes with their tags, looked at most about once a second: for metrics, never for a decision. */
export class ProcessTable {
  #rows: readonly TableRow[] = [];
  #readAtMs = Number.NEGATIVE_INFINITY;

  rows(): readonly TableRow[] {
    if (performance.now() - this.#readAtMs > MAX_AGE_MS) {
      // Tags are read anew each time: a launcher gets its tag when it becomes the service.
      const tags = new Map(listTagged().map(({ pid, tag }) => [pid, tag]));
      this.#rows = listProcesses().map((stat) => ({ ...stat, tag: tags.get(stat.pid) }));
      this.#readAtMs = performance.now();
    }
    return this.#rows;
  }
}
