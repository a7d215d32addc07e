import type { Diagnostic } from './diagnostic.ts';
import { nearest } from './diagnostic.ts';
import { DEPENDENCY_PATTERN, IdText, Port } from './schema.ts';
import { findCycles, type ServiceFacts } from './service-graph.ts';
import type { YamlSource } from './yaml-source.ts';

/** A name, and perhaps a port, that is taken before the file is read: one of the agent's own services. */
export interface ReservedService {
  readonly name: string;
  readonly port?: number;
}

export interface Surroundings {
  /** The id of the host that the file is for; `host/service` with this host is a local service. */
  readonly host?: string;
  readonly reserved: readonly ReservedService[];
}

/** Takes from the plain value what can be trusted, entry by entry, so that one bad value hides no other error. */
export function collectFacts(services: readonly unknown[], host: string | undefined): ServiceFacts[] {
  return services.flatMap((entry, index) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { name, port, dependencies } = entry as Record<string, unknown>;
    const id = IdText.safeParse(name);
    if (!id.success) return [];
    const validPort = Port.safeParse(port);
    return {
      index,
      name: id.data,
      ...(validPort.success && { port: validPort.data }),
      dependencies: Array.isArray(dependencies)
        ? dependencies.flatMap((dependency: unknown, at) => {
            const target = localTarget(dependency, host);
            return target === undefined ? [] : { index: at, target };
          })
        : [],
    };
  });
}

function localTarget(dependency: unknown, host: string | undefined): string | undefined {
  const written =
    typeof dependency === 'object' && dependency !== null && 'service' in dependency ? dependency.service : dependency;
  if (typeof written !== 'string' || !DEPENDENCY_PATTERN.test(written)) return undefined;
  if (!written.includes('/')) return written;
  const [targetHost, service] = written.split('/');
  return targetHost === host ? service : undefined;
}

/** Duplicate names, ports that two services want, and dependencies that go round in a circle. */
export function findClashes(source: YamlSource, facts: readonly ServiceFacts[], around: Surroundings): Diagnostic[] {
  return [...duplicateNames(source, facts, around), ...portClashes(source, facts, around), ...cycles(source, facts)];
}

function duplicateNames(source: YamlSource, facts: readonly ServiceFacts[], { reserved }: Surroundings): Diagnostic[] {
  const first = new Map<string, ServiceFacts>();
  return facts.flatMap((service) => {
    const { name, index } = service;
    const place = { file: source.file, ...source.placeOf(['services', index, 'name']) };
    if (reserved.some((own) => own.name === name)) {
      const problem = `service '${name}' has the name of one of Muster's own services`;
      return { ...place, problem, remedy: 'give it another name' };
    }
    const other = first.get(name);
    if (other === undefined) {
      first.set(name, service);
      return [];
    }
    const { line } = source.placeOf(['services', other.index, 'name']);
    const problem = `service '${name}' has the name of the service on line ${line}`;
    return { ...place, problem, remedy: 'give one of them another name' };
  });
}

function portClashes(source: YamlSource, facts: readonly ServiceFacts[], { reserved }: Surroundings): Diagnostic[] {
  const holders = new Map<number, string>();
  for (const { name, port } of reserved) if (port !== undefined) holders.set(port, `Muster's own '${name}'`);
  return facts.flatMap(({ name, port, index }) => {
    if (port === undefined) return [];
    const path = ['services', index, 'port'];
    const holder = holders.get(port);
    if (holder === undefined) {
      holders.set(port, `'${name}' (line ${source.placeOf(path).line})`);
      return [];
    }
    const problem = `service '${name}' wants port ${port}, which belongs to ${holder}`;
    return { file: source.file, ...source.placeOf(path), problem, remedy: 'give one of them another port' };
  });
}

function cycles(source: YamlSource, facts: readonly ServiceFacts[]): Diagnostic[] {
  return findCycles(facts).map(({ names, service, dependency }) => ({
    file: source.file,
    ...source.placeOf(['services', service.index, 'dependencies', dependency]),
    problem: `dependencies go round in a circle: ${names.join(' -> ')}`,
    remedy: 'remove one of them',
  }));
}

/** Dependencies that the file does not name: legal, and their dependents wait. */
export function findUnknownDependencies(
  source: YamlSource,
  facts: readonly ServiceFacts[],
  { reserved }: Surroundings,
): Diagnostic[] {
  const known = new Set([...reserved, ...facts].map(({ name }) => name));
  return facts.flatMap(({ name, index, dependencies }) =>
    dependencies.flatMap(({ target, index: at }) => {
      if (known.has(target)) return [];
      const meant = nearest(target, known);
      return {
        file: source.file,
        ...source.placeOf(['services', index, 'dependencies', at]),
        problem: `service '${name}' depends on '${target}', which is not configured here, and waits until it is`,
        remedy: meant === undefined ? `add a service '${target}', or write host/${target}` : `did you mean '${meant}'?`,
      };
    }),
  );
}
