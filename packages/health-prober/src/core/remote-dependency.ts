/** What services of other hosts are waited for, and what can be said of them to those who wait. */
import type { DependencyCondition, InstanceStatus, ServiceSpecEntry } from '@muster/contracts';

/** Somebody on `host` waits for a service of another host. */
export interface RemoteDependency {
  readonly host: string;
  /** `<host>/<service>`. */
  readonly target: string;
  readonly condition: DependencyCondition;
}

export interface DependencyStatus {
  readonly isMet: boolean;
  readonly reason: string;
}

/** Each is told again and again: a host that waits for more is told of so many. */
export const MAX_TOLD_PER_HOST = 1_000;

/** Each of them once. */
export function remoteDependenciesOf(specs: Iterable<ServiceSpecEntry>): ReadonlyMap<string, RemoteDependency> {
  const found = new Map<string, RemoteDependency>();
  const counts = new Map<string, number>();
  for (const { host, dependencies } of specs) {
    for (const { target, condition } of dependencies) {
      const key = `${host} ${target} ${condition}`;
      const count = counts.get(host) ?? 0;
      if (!target.includes('/') || found.has(key) || count >= MAX_TOLD_PER_HOST) continue;
      counts.set(host, count + 1);
      found.set(key, { host, target, condition });
    }
  }
  return found;
}

/** `silentMs`: of the target's host, 0 when it is heard. */
export function judgeDependency(
  { target, condition }: RemoteDependency,
  instances: readonly InstanceStatus[],
  isJob: boolean,
  silentMs: number,
): DependencyStatus {
  const [host, service] = target.split('/');
  // What was true when it was last heard is not known to be true now.
  if (silentMs > 0) return unmet(`host ${host} is not heard for more than ${roundedDown(silentMs)}`);
  const [first] = instances;
  if (first === undefined) return unmet(`host ${host} has no service ${service}`);
  if (isMet(condition, instances, isJob)) return { isMet: true, reason: `it is ${WISH[condition]}` };
  const { state } = instances.find(({ state }) => state === 'running') ?? first;
  return unmet(`waits for it to be ${WISH[condition]}: it is ${state === 'running' ? 'running, and no more' : state}`);
}

const WISH: Record<DependencyCondition, string> = { started: 'started', ready: 'ready', completed: 'completed' };

function unmet(reason: string): DependencyStatus {
  return { isMet: false, reason };
}

/** As the agent judges a dependency within its own host: one that serves is enough, a job is complete when all of it is. */
function isMet(condition: DependencyCondition, instances: readonly InstanceStatus[], isJob: boolean): boolean {
  switch (condition) {
    case 'started':
      return instances.some(({ state }) => state === 'running' || state === 'completed');
    case 'ready':
      return instances.some(({ state, ready }) =>
        isJob ? state === 'completed' : state === 'running' && ready === 'yes',
      );
    case 'completed':
      return instances.every(({ state }) => state === 'completed');
  }
}

/** A reason that changes is an event each time, so it changes rarely. */
const STEPS: readonly (readonly [ms: number, words: string])[] = [
  [86_400_000, '1 d'],
  [6 * 3_600_000, '6 h'],
  [3_600_000, '1 h'],
  [15 * 60_000, '15 min'],
  [5 * 60_000, '5 min'],
  [60_000, '1 min'],
  [30_000, '30 s'],
  [12_000, '12 s'],
];

function roundedDown(ms: number): string {
  return STEPS.find(([atLeastMs]) => ms >= atLeastMs)?.[1] ?? '5 s';
}
