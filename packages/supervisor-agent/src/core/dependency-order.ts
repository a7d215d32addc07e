/** The order in which the services of one host start and stop. */
import type { Dependency } from './dependency.ts';

export interface ServiceNode {
  readonly service: string;
  readonly dependsOn: readonly Dependency[];
}

export type StartOrder =
  /** Services of one level start in parallel; each depends on earlier levels only. Stop in reverse. */
  | { readonly kind: 'levels'; readonly levels: readonly (readonly string[])[] }
  /** `path` starts and ends with the same service: `a`, `b`, `a`. */
  | { readonly kind: 'cycle'; readonly path: readonly string[] };

/** Targets that `nodes` does not name (not configured here, or on another host) order nothing. */
export function startOrder(nodes: readonly ServiceNode[]): StartOrder {
  const graph = targetsByService(nodes);
  const levels: string[][] = [];
  const placed = new Set<string>();
  while (placed.size < graph.size) {
    const level = [...graph].filter(
      ([service, targets]) => !placed.has(service) && targets.every((t) => placed.has(t)),
    );
    if (level.length === 0) return { kind: 'cycle', path: cycleAmong(graph, placed) };
    for (const [service] of level) placed.add(service);
    levels.push(level.map(([service]) => service));
  }
  return { kind: 'levels', levels };
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

function targetsByService(nodes: readonly ServiceNode[]): ReadonlyMap<string, readonly string[]> {
  const known = new Set(nodes.map((node) => node.service));
  return new Map(
    nodes.map((node) => [
      node.service,
      node.dependsOn.map(({ target }) => target).filter((target) => known.has(target)),
    ]),
  );
}

/** Each unplaced service depends on an unplaced one, so walking along them must come back to where it has been. */
function cycleAmong(graph: ReadonlyMap<string, readonly string[]>, placed: ReadonlySet<string>): readonly string[] {
  const walk: string[] = [];
  let service = [...graph.keys()].find((name) => !placed.has(name));
  while (service !== undefined && !walk.includes(service)) {
    walk.push(service);
    service = graph.get(service)?.find((target) => !placed.has(target));
  }
  return service === undefined ? walk : [...walk.slice(walk.indexOf(service)), service];
}
