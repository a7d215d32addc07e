import { type ComponentEvent, Deadline, keys } from '@muster/contracts';
import { type Bus, PermissionDeniedError } from '@muster/contracts/bus';
import { type CommandResult, FleetClient, type NoAnswer } from '@muster/contracts/client';
import { CliError } from '../exit-codes.ts';
import { Changes } from './changes.ts';
import type { FleetReading, HostReading, InstanceReading, WhyReading } from './reading.ts';
import { isMatch, type ResolvedTarget, type Target } from './target.ts';

/** An agent on a busy machine answers within this; a silent one must not keep people waiting. */
const ANSWER_TIMEOUT_MS = 2_000;
const READ_TIMEOUT_MS = 10_000;

/**
 * The fleet, once all that is stored has been read. `actor` is who asks, for the audit. The caller disposes it.
 * @throws CliError (busUnreachable) when the stored values don't come in time, PermissionDeniedError
 */
export async function openFleet(bus: Bus, actor: string, signal: AbortSignal): Promise<FleetClient> {
  const fleet = new FleetClient({ bus, actor, timeoutMs: ANSWER_TIMEOUT_MS });
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
      const lastEvent = told.get(host);
      const lastHeardAt = [...known, ...(lastEvent === undefined ? [] : [lastEvent])]
        .map(({ time }) => time)
        .sort()
        .at(-1);
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

/** The chain behind one instance. */
export async function readWhy(
  fleet: FleetClient,
  instance: InstanceReading,
  asOf: string,
  signal: AbortSignal,
): Promise<WhyReading> {
  const { events } = await fleet.why(instance.status, signal);
  return { source: 'bus', asOf, instance, events };
}

/** Whenever a service says that something changed. The caller disposes it. */
export function changesOf(fleet: FleetClient, { host, service }: ResolvedTarget): Changes {
  return new Changes((onChange) => {
    const subscription = fleet.watchEvents({ host, service }, onChange);
    return () => subscription.stop();
  });
}

const PROBLEMS: Readonly<Record<NoAnswer, string>> = {
  'no-agent': 'its agent is not on the bus',
  'no-grant': "these credentials hold no grant that counts: run 'muster bus keys' where the keys of the bus are",
  'not-allowed': 'these credentials may not ask its agent',
  'bus-away': 'the bus is away',
  timeout: `its agent has not answered within ${ANSWER_TIMEOUT_MS / 1_000} s`,
  unreadable:
    'its agent gave an answer that is not signed or not readable: are its version and its credentials up to date?',
};

/** Why an agent did not do what it was asked, to be said after the name of what it is about. */
export function problemOf(result: Exclude<CommandResult, { outcome: 'accepted' }>): string {
  return result.outcome === 'refused' ? `its agent refused: ${result.reason}` : PROBLEMS[result.code];
}
