import type { StateName } from './state.ts';

/** What a dependency must have reached before its dependent may start. */
export type Condition = 'started' | 'ready' | 'completed';

export interface Dependency {
  /** A service of this host, or `host/service`. */
  readonly target: string;
  readonly condition: Condition;
}

/** What is known of one instance of a target. */
export interface TargetState {
  readonly name: StateName;
  readonly isReady: boolean;
  readonly isJob: boolean;
}

/** What the leading prober says of a dependency on another host. */
export interface RemoteStatus {
  readonly isMet: boolean;
  readonly reason: string;
}

/** Where the facts about targets come from. */
export interface DependencyFacts {
  /** A service of this host by its instances; `undefined` = not configured here. */
  local(target: string): readonly TargetState[] | undefined;
  /** One of another host. */
  remote(dependency: Dependency): RemoteStatus;
}

/** Why the dependent may not start, naming the first dependency it waits for; `null` = all are met. */
export function unmetReason(dependencies: readonly Dependency[], facts: DependencyFacts): string | null {
  for (const dependency of dependencies) {
    const reason = isRemote(dependency)
      ? unmetRemote(dependency, facts.remote(dependency))
      : unmetDependency(dependency, facts.local(dependency.target));
    if (reason !== null) return reason;
  }
  return null;
}

/** Is it a service of another host? */
export function isRemote({ target }: Dependency): boolean {
  return target.includes('/');
}

function unmetRemote({ target }: Dependency, { isMet, reason }: RemoteStatus): string | null {
  return isMet ? null : `${target}: ${reason}`;
}

function unmetDependency({ target, condition }: Dependency, instances: readonly TargetState[] | undefined) {
  if (instances === undefined) return `${target} is not configured here`;
  if (isMet(condition, instances)) return null;
  return `waits for ${target} ${WISH[condition]}${hindrance(condition, instances)}`;
}

/** One instance that serves is enough to start against; a job is complete when all of it is. */
function isMet(condition: Condition, instances: readonly TargetState[]): boolean {
  switch (condition) {
    case 'started':
      return instances.some(({ name }) => name === 'running' || name === 'completed');
    case 'ready':
      return instances.some(({ name, isReady, isJob }) =>
        isJob ? name === 'completed' : name === 'running' && isReady,
      );
    case 'completed':
      return instances.length > 0 && instances.every(({ name }) => name === 'completed');
  }
}

const WISH: Record<Condition, string> = { started: 'to start', ready: 'to be ready', completed: 'to complete' };

/** Waiting alone will not help here, so the reason says what is in the way. */
function hindrance(condition: Condition, instances: readonly TargetState[]): string {
  if (instances.length === 0) return ', which has no instance';
  const [first] = instances;
  if (first === undefined || instances.some(({ name }) => name !== first.name)) return '';
  switch (first.name) {
    case 'stopped':
      return ', which is stopped';
    case 'failed':
      return ', which has failed';
    case 'orphaned':
      return ', which is orphaned';
    case 'unknown':
      return ', whose state is unknown';
    case 'completed':
      return ', which has ended';
    case 'running':
      return condition === 'completed' && !first.isJob ? ', which is no job' : '';
    case 'pending':
    case 'starting':
    case 'backoff':
    case 'stopping':
      return '';
  }
}
