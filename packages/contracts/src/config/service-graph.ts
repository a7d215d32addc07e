/** A service as far as it could be read: enough to judge the file as a whole while single values are still wrong. */
export interface ServiceFacts {
  readonly index: number;
  readonly name: string;
  readonly port?: number;
  readonly dependencies: readonly { readonly index: number; readonly target: string }[];
}

/** One loop of dependencies: `names` starts and ends with the same service. */
export interface Cycle {
  readonly names: readonly string[];
  /** The dependency that closes it. */
  readonly service: ServiceFacts;
  readonly dependency: number;
}

/**
 * Every dependency that leads back to a service it was reached from, in the order of the file. Iterative, because a chain may
 * be longer than the stack.
 */
export function findCycles(services: readonly ServiceFacts[]): Cycle[] {
  const byName = new Map(services.map((service) => [service.name, service]));
  const isDone = new Set<string>();
  const cycles: Cycle[] = [];
  for (const root of byName.values()) {
    if (isDone.has(root.name)) continue;
    const path = [{ service: root, next: 0 }];
    const depthOf = new Map([[root.name, 0]]);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const { service } = top;
      const dependency = service.dependencies[top.next];
      top.next += 1;
      if (dependency === undefined) {
        isDone.add(service.name);
        depthOf.delete(service.name);
        path.pop();
        continue;
      }
      const depth = depthOf.get(dependency.target);
      if (depth !== undefined) {
        const names = [...path.slice(depth).map((step) => step.service.name), dependency.target];
        cycles.push({ names, service, dependency: dependency.index });
        continue;
      }
      const target = byName.get(dependency.target);
      if (target === undefined || isDone.has(target.name)) continue;
      depthOf.set(target.name, path.length);
      path.push({ service: target, next: 0 });
    }
  }
  return cycles;
}
