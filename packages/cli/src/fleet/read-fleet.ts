import { type ComponentEvent, Deadline, keys } from '@muster/contracts';
import { type Bus, PermissionDeniedError } from '@muster/contracts/bus';
import { FleetClient, type Followed } from '@muster/contracts/client';
import { CliError } from '../exit-codes.ts';
import { ANSWER_TIMEOUT_MS, problemOf } from './agents.ts';
import type { FleetReading, HostReading, InstanceReading } from './reading.ts';
import { isMatch, type Target } from './target.ts';

const READ_TIMEOUT_MS = 10_000;

/**
 * The fleet, once what is stored of `follow` has been read; no more of it is known. `actor` is who asks, for the audit. The caller
 * disposes it. @throws CliError (busUnreachable) when the stored values don't come in time, PermissionDeniedError
 */
export async function openFleet(bus: Bus, actor: string, follow: Followed, signal: AbortSignal): Promise<FleetClient> {
  const fleet = new FleetClient({ bus, actor, timeoutMs: ANSWER_TIMEOUT_MS, follow });
  using deadline = new Deadline(READ_TIMEOUT_MS, signal);
  try {
    await fleet.ready(deadline.signal);
    return fleet;
  } catch (error) {
    fleet[Symbol.dispose]();
    if (error instanceof PermissionDeniedError) throw error;
    throw new CliError(
      'busUnreachable',
      `cannot read the fleet's state from the bus: nothing came within ${READ_TIMEOUT_MS / 1_000} s: has it been set up (muster bus setup)?`,
      { cause: error },
    );
  }
}

/** Everything that matches, which may be nothing: stored values first, then the word of each agent that answers now. */
export async function readFleet(
  fleet: FleetClient,
  target: Target | undefined,
  nowMs: number,
  signal: AbortSignal,
): Promise<FleetReading> {
  const { status, health } = fleet.snapshot();
  const stored = [...status.values()].filter((known) => isMatch(target, known));
  // A host without services has no status: its own events tell of it.
  const told = target === undefined ? await fleet.lastHostEvents(signal) : new Map<string, ComponentEvent>();
  const hosts = [...new Set([...stored.map(({ host }) => host), ...told.keys()])].sort();
  const readings = await Promise.all(
    hosts.map(async (host) => {
      const answer = await fleet.status(host, signal);
      const isAlive = answer.outcome === 'accepted';
      const known = stored.filter((last) => last.host === host);
      const statuses = isAlive ? answer.reply.instances.filter((now) => isMatch(target, now)) : known;
      const instances = statuses.map((status): InstanceReading => {
        const verdict = health.get(keys.instance(host, status.service, status.instance));
        return { status, isAlive, ...(verdict !== undefined && { health: verdict }) };
      });
      const lastHeardAt = newestTime([...known, told.get(host)]);
      const summary: HostReading = {
        host,
        isAlive,
        instances: statuses.length,
        ...(!isAlive && { problem: problemOf(answer), ...(lastHeardAt !== undefined && { lastHeardAt }) }),
      };
      return { summary, instances };
    }),
  );
  return {
    source: 'bus',
    asOf: new Date(nowMs).toISOString(),
    hosts: readings.map(({ summary }) => summary),
    instances: readings.flatMap(({ instances }) => instances),
  };
}

/** RFC 3339, by their sender's clock: when the newest of these was said. */
export function newestTime(words: readonly ({ readonly time: string } | undefined)[]): string | undefined {
  return words
    .flatMap((word) => word?.time ?? [])
    .sort()
    .at(-1);
}
