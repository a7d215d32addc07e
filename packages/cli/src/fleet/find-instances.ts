import type { InstanceStatus } from '@muster/contracts';
import type { Bus } from '@muster/contracts/bus';
import { openFleet } from './read-fleet.ts';
import { isMatch, resolveTarget, type Target } from './target.ts';

/** The instances that a name means, as the bus knows them: all of one service on one host. @throws as `resolveTarget`, `openFleet` */
export async function findInstances(
  bus: Bus,
  actor: string,
  target: Target,
  signal: AbortSignal,
): Promise<readonly InstanceStatus[]> {
  using fleet = await openFleet(bus, actor, signal);
  const known = [...fleet.snapshot().status.values()];
  const resolved = resolveTarget(target, known);
  return known.filter((status) => isMatch(resolved, status));
}
