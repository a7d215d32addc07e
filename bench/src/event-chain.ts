import type { InstanceEvent } from '@muster/contracts';

/** What a stream's events of one instance leave open. */
export interface ChainCheck {
  readonly events: number;
  /** Places where an event does not begin where the one before it ended: at least one is lost there, or out of order. */
  readonly gaps: number;
  /** Events that came more than once. */
  readonly repeated: number;
  /** Ends of runs that nobody had asked for. */
  readonly crashes: number;
}

/** Follows the transitions of one instance, in the order of the stream. */
export function checkChain(events: readonly InstanceEvent[]): ChainCheck {
  const ids = new Set(events.map(({ id }) => id));
  const gaps = events.filter((event, index) => {
    const before = events[index - 1];
    return before !== undefined && (event.from !== before.to || comesBefore(event, before));
  });
  const crashes = events.filter(({ exit, desired }) => exit !== undefined && desired === 'up');
  return { events: events.length, gaps: gaps.length, repeated: events.length - ids.size, crashes: crashes.length };
}

function comesBefore(a: InstanceEvent, b: InstanceEvent): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.seq <= b.seq);
}
