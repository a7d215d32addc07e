import type { LogBatch, LogGap, LogLine } from '../messages/log.ts';

/** Who wrote it. */
export interface LogSource {
  readonly host: string;
  readonly service: string;
  readonly instance: number;
  /** Which of its runs. */
  readonly generation: number;
}

/** A line, or a stretch of lines that were not shipped. */
export type LogEntry =
  | { readonly kind: 'line'; readonly source: LogSource; readonly line: LogLine }
  | { readonly kind: 'gap'; readonly source: LogSource; readonly time: string; readonly gap: LogGap };

interface Held {
  readonly atMs: number;
  readonly entry: LogEntry;
}

/** Batches are sent after a second at the latest; what is stored later than this is told later. */
const HOLD_MS = 3_000;

/**
 * Many instances as one log: by time among them, in its own order within each. A line is never put behind the moment in
 * which its batch was stored, so a host whose clock is ahead does not hold it up.
 */
export class LogMerge {
  readonly #lastMs = new Map<string, number>();
  #held: Held[] = [];
  #releasedMs = Number.NEGATIVE_INFINITY;

  /** Adds a batch; batches come in the order in which they were stored. Answers with what is certainly next. */
  add(source: LogSource, batch: Pick<LogBatch, 'lines' | 'gaps'>, storedAt: Date): LogEntry[] {
    const { host, service, instance } = source;
    const key = `${host}/${service}.${instance}`;
    let lastMs = this.#lastMs.get(key) ?? Number.NEGATIVE_INFINITY;
    for (const entry of entriesOf(source, batch, storedAt)) {
      const saidMs = entry.kind === 'line' ? Date.parse(entry.line.time) : lastMs;
      lastMs = Math.max(lastMs, Math.min(saidMs, storedAt.getTime()));
      this.#held.push({ atMs: lastMs, entry });
    }
    this.#lastMs.set(key, lastMs);
    const untilMs = storedAt.getTime() - HOLD_MS;
    return untilMs - this.#releasedMs < HOLD_MS ? [] : this.#release(untilMs);
  }

  /** What is left. */
  end(): LogEntry[] {
    return this.#release(Number.POSITIVE_INFINITY);
  }

  #release(untilMs: number): LogEntry[] {
    this.#releasedMs = untilMs;
    const due = this.#held.filter(({ atMs }) => atMs <= untilMs);
    this.#held = this.#held.filter(({ atMs }) => atMs > untilMs);
    return due.sort((a, b) => a.atMs - b.atMs).map(({ entry }) => entry);
  }
}

/** The lines of one batch, each gap where it is in its file. */
export function entriesOf(
  source: LogSource,
  { lines, gaps }: Pick<LogBatch, 'lines' | 'gaps'>,
  storedAt: Date,
): LogEntry[] {
  const entries: LogEntry[] = lines.map((line) => ({ kind: 'line', source, line }));
  for (const gap of gaps) {
    const isBefore = (entry: LogEntry): boolean => {
      const { stream, offset } = entry.kind === 'line' ? entry.line : entry.gap;
      return stream === gap.stream && offset <= gap.offset;
    };
    entries.splice(entries.findLastIndex(isBefore) + 1, 0, { kind: 'gap', source, time: storedAt.toISOString(), gap });
  }
  return entries;
}
