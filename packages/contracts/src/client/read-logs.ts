import type { Bus } from '../bus/bus.ts';
import { type LogCriteria, logFilter } from '../log-filter.ts';
import { rows } from '../rows.ts';
import { entriesOf, type LogEntry, LogMerge, type LogSource } from './log-merge.ts';

/** Whose lines, which of them, and whether to stay for what comes. */
export interface LogQuery extends LogCriteria {
  readonly host?: string | undefined;
  readonly service?: string | undefined;
  readonly instance?: number | undefined;
  /** Only the last so many of what there is. */
  readonly last?: number | undefined;
  readonly follow?: boolean | undefined;
}

const MINUTE_MS = 60_000;
/** The last lines are looked for in ever longer stretches of the past; then in all of it. */
const STRETCHES_MS = [10 * MINUTE_MS, 6 * 60 * MINUTE_MS];

/**
 * The lines that are wanted, of all hosts in one order; then, with `follow`, those that come, as they come. A gap is told
 * whatever was searched for: what was wanted may have been in it. Never ahead of who takes them.
 * @throws PermissionDeniedError, NoStreamError
 */
export async function* readLogs(bus: Bus, query: LogQuery, signal: AbortSignal): AsyncGenerator<LogEntry, void> {
  const { last } = query;
  if (last === undefined) {
    yield* readFrom(bus, query, query.since, signal);
    return;
  }
  const since = query.since ?? (await stretchWith(last, bus, query, signal));
  yield* readFrom(bus, query, since, signal);
}

/** Since when there are `count` entries; `undefined`: take all. */
async function stretchWith(count: number, bus: Bus, query: LogQuery, signal: AbortSignal): Promise<Date | undefined> {
  const nowMs = Date.now();
  for (const stretchMs of STRETCHES_MS) {
    const since = new Date(nowMs - stretchMs);
    let found = 0;
    for await (const _ of readFrom(bus, { ...query, follow: false }, since, signal)) found += 1;
    if (found >= count) return since;
  }
  return undefined;
}

async function* readFrom(
  bus: Bus,
  query: LogQuery,
  startTime: Date | undefined,
  signal: AbortSignal,
): AsyncGenerator<LogEntry, void> {
  const { host, service, instance, last = Number.POSITIVE_INFINITY, follow = false } = query;
  const isWanted = entryFilter(query);
  const past = new Past(last);
  const merge = new LogMerge();
  let isPast = true;
  const place = {
    ...(host !== undefined && { host }),
    ...(service !== undefined && { service }),
    ...(instance !== undefined && { instance }),
  };
  const options = { ...(startTime !== undefined && { startTime }), follow, signal };
  for await (const stored of bus.read(rows.instanceLog, place, options)) {
    if (stored === 'caught-up') {
      yield* past.add(merge.end());
      yield* past.end();
      isPast = false;
      continue;
    }
    const { message, params, time } = stored;
    if (typeof params.instance !== 'number') continue;
    const source: LogSource = {
      host: params.host,
      service: params.service,
      instance: params.instance,
      generation: message.generation,
    };
    const wanted = { lines: message.lines.filter(isWanted.line), gaps: message.gaps.filter(isWanted.gap) };
    yield* isPast ? past.add(merge.add(source, wanted, time)) : entriesOf(source, wanted, time);
  }
}

function entryFilter(query: LogQuery) {
  const { stream } = query;
  return {
    line: logFilter(query),
    gap: (gap: { readonly stream: string }) => stream === undefined || gap.stream === stream,
  };
}

/** Lets through what is read of the past, or keeps the last of it until its end. */
class Past {
  readonly #last: number;
  #kept: LogEntry[] = [];

  constructor(last: number) {
    this.#last = last;
  }

  add(entries: LogEntry[]): readonly LogEntry[] {
    if (this.#last === Number.POSITIVE_INFINITY) return entries;
    this.#kept.push(...entries);
    // Trimmed rarely, so that a long past stays linear.
    if (this.#kept.length > 2 * this.#last + 1_000) this.#kept = this.#kept.slice(-this.#last);
    return [];
  }

  end(): readonly LogEntry[] {
    return this.#kept.splice(0).slice(-this.#last);
  }
}
