import { comparePositions, type InstanceEvent, rows } from '@muster/contracts';
import type { Muster } from './muster.ts';
import { waitUntil } from './wait-until.ts';

const TIMEOUT_MS = 30_000;

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
    return before !== undefined && (event.from !== before.to || comparePositions(event, before) <= 0);
  });
  const crashes = events.filter(({ exit, desired }) => exit !== undefined && desired === 'up');
  return { events: events.length, gaps: gaps.length, repeated: events.length - ids.size, crashes: crashes.length };
}

/** Of all services together, once so many crashes are in the stream: the last events may still be on their way. */
export async function checkStoredChains(ours: Muster, kills: number, signal: AbortSignal): Promise<ChainCheck> {
  const read = async (): Promise<ChainCheck> => {
    const stored = await ours.bus.history(rows.instanceEvent, { host: ours.host }, { signal });
    const checks = ours.names.map((name) =>
      checkChain(stored.map(({ message }) => message).filter((one) => one.service === name)),
    );
    const sum = (of: keyof ChainCheck): number => checks.reduce((total, check) => total + check[of], 0);
    return { events: sum('events'), gaps: sum('gaps'), repeated: sum('repeated'), crashes: sum('crashes') };
  };
  await waitUntil(async () => (await read()).crashes >= kills, {
    what: `${kills} crashes in the stream`,
    signal,
    timeoutMs: TIMEOUT_MS,
    pollMs: 500,
  }).catch(() => undefined);
  return read();
}
