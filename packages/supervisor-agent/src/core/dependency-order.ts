/** The order in which the services of one host stop; they start as their dependencies allow (dependency.ts). */
import type { Dependency } from './dependency.ts';

export interface ServiceNode {
  readonly service: string;
  readonly dependsOn: readonly Dependency[];
}

/** Everything that depends on the service, directly or through others: a finished job between two still orders them. */
export function dependentsOf(service: string, nodes: readonly ServiceNode[]): ReadonlySet<string> {
  const dependents = new Set<string>();
  const queue = [service];
  for (let target = queue.pop(); target !== undefined; target = queue.pop()) {
    for (const node of nodes) {
      if (dependents.has(node.service) || !node.dependsOn.some((dependency) => dependency.target === target)) continue;
      dependents.add(node.service);
      queue.push(node.service);
    }
  }
  return dependents;
}

/** In an orderly shutdown a service stops once nothing that depends on it runs any more. */
export function mayStop(
  service: string,
  nodes: readonly ServiceNode[],
  hasStopped: (service: string) => boolean,
): boolean {
  return [...dependentsOf(service, nodes)].every((dependent) => dependent === service || hasStopped(dependent));
}
