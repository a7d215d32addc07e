import type { InstanceStatus } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import type { Followed } from '@muster/contracts/client';
import { CliError } from '../exit-codes.ts';
import { openFleet } from './read-fleet.ts';
import { explainMissing, isMatch, type ResolvedTarget, resolveTarget, type Target } from './target.ts';

/** What a name means, as the bus knows it. */
export interface Found {
  readonly target: ResolvedTarget;
  readonly instances: readonly InstanceStatus[];
}

/** Finds what a name means. Of a name with a host only that host's instances are read. @throws as `resolveTarget` and `openFleet` */
export async function findInstances(bus: Bus, actor: string, name: Target, signal: AbortSignal): Promise<Found> {
  const known = await readStatuses(bus, actor, name.host, signal);
  if (!known.some((status) => isMatch(name, status))) throw await notFound(bus, actor, name, signal);
  const target = resolveTarget(name, known);
  return { target, instances: known.filter((status) => isMatch(target, status)) };
}

/** Nobody has what the name means: says what is near, of the whole fleet. */
export async function notFound(bus: Bus, actor: string, name: Target, signal: AbortSignal): Promise<CliError> {
  return new CliError('notFound', explainMissing(name, await readStatuses(bus, actor, undefined, signal)));
}

async function readStatuses(
  bus: Bus,
  actor: string,
  host: string | undefined,
  signal: AbortSignal,
): Promise<readonly InstanceStatus[]> {
  using fleet = await openFleet(bus, actor, storedOf(host, 'status'), signal);
  return [...fleet.snapshot().status.values()];
}

/** Of one host or all, what these buckets hold; no heartbeats. */
export function storedOf(host: string | undefined, ...buckets: NonNullable<Followed['buckets']>): Followed {
  return { buckets, senders: [], ...(host !== undefined && { host }) };
}
