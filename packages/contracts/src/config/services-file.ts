import { collectFacts, findClashes, findUnknownDependencies, type ReservedService } from './cross-checks.ts';
import { byPlace, type Diagnostic } from './diagnostic.ts';
import { ServiceEntry, ServicesFile } from './schema.ts';
import type { ServiceSpec } from './service-spec.ts';
import { checkShape } from './shape.ts';
import { findContradictions, toSpec } from './to-spec.ts';
import { type Path, parseYaml, type YamlSource } from './yaml-source.ts';

/*
 * config/services.yaml, read strictly and as a whole: either every service is usable, or all that is wrong is said at once,
 * each with its place. Three passes over one parsed text: the shape of each value; contradictions within a service; clashes
 * between services. The later passes work on whatever of the file is sound, so that one slip hides no other.
 */

export interface ReadServicesOptions {
  /** The id of the host that the file is for. */
  readonly host?: string;
  /** Names and ports that are taken already: the agent's own services. */
  readonly reserved?: readonly ReservedService[];
}

export type ServicesReading =
  | { readonly services: readonly ServiceSpec[]; readonly warnings: readonly Diagnostic[] }
  | { readonly errors: readonly Diagnostic[]; readonly warnings: readonly Diagnostic[] };

/** Never throws; `fileName` is only for the diagnostics, which never show a value of `environment`. */
export function readServices(text: string, fileName: string, options: ReadServicesOptions = {}): ServicesReading {
  const { source, errors: syntaxErrors } = parseYaml(text, fileName);
  if (source === undefined) return { errors: syntaxErrors.sort(byPlace), warnings: [] };

  const root = withScalarsAsWritten(source);
  const shape = checkShape(source, root, {
    schema: ServicesFile,
    nameOf: serviceNames(root),
    synonyms: SYNONYMS,
    isSecret,
  });
  const written = listOfServices(root);
  const facts = collectFacts(written, options.host);
  const around = { reserved: options.reserved ?? [], ...(options.host !== undefined && { host: options.host }) };

  const entries = written.flatMap((value, index) => {
    const entry = ServiceEntry.safeParse(value);
    return entry.success ? [{ entry: entry.data, path: ['services', index] }] : [];
  });
  const errors = [
    ...syntaxErrors,
    ...shape.errors,
    ...entries.flatMap(({ entry, path }) => findContradictions(source, entry, path)),
    ...findClashes(source, facts, around),
  ].sort(byPlace);
  const specs = entries.map(({ entry, path }) => ({ spec: toSpec(entry, options.host), path }));
  const warnings = [...findUnknownDependencies(source, facts, around), ...findEndlessWaits(source, specs)].sort(
    byPlace,
  );
  return errors.length > 0 ? { errors, warnings } : { services: specs.map(({ spec }) => spec), warnings };
}

/** What people coming from other tools write. */
const SYNONYMS = {
  args: 'command',
  autorestart: 'auto_restart',
  cmd: 'command',
  cwd: 'working_directory',
  depends_on: 'dependencies',
  env: 'environment',
  envfile: 'env_file',
  health_check: 'health_check_url',
  healthcheck: 'health_check_url',
  image: 'command',
  kind: 'type',
  ports: 'port',
  restart: 'auto_restart',
  script: 'command',
  working_dir: 'working_directory',
};

/** `environment` of a service, and all below it. */
function isSecret(path: Path): boolean {
  return path[0] === 'services' && path[2] === 'environment';
}

function listOfServices(root: unknown): unknown[] {
  const services = typeof root === 'object' && root !== null && 'services' in root ? root.services : undefined;
  return Array.isArray(services) ? services : [];
}

/** `VERSION: 1.10` means the text 1.10, not the number 1.1, in maps whose values are strings in the end. */
function withScalarsAsWritten(source: YamlSource): unknown {
  for (const [index, service] of listOfServices(source.value).entries()) {
    if (typeof service !== 'object' || service === null) continue;
    for (const key of ['environment', 'labels']) {
      const map: unknown = (service as Record<string, unknown>)[key];
      if (typeof map !== 'object' || map === null || Array.isArray(map)) continue;
      for (const [name, value] of Object.entries(map)) {
        if (typeof value !== 'number' && typeof value !== 'boolean') continue;
        const asWritten = source.textAt(['services', index, key, name]);
        if (asWritten !== undefined) (map as Record<string, unknown>)[name] = asWritten;
      }
    }
  }
  // An empty file is an empty map.
  return source.value ?? {};
}

function serviceNames(root: unknown): (path: Path) => { section: string; rest: Path } {
  const services = listOfServices(root);
  return (path) => {
    const [, index, ...rest] = path;
    if (path[0] !== 'services' || typeof index !== 'number') return { section: '', rest: path };
    const service = services[index];
    const name = typeof service === 'object' && service !== null && 'name' in service ? service.name : undefined;
    const isShort = typeof name === 'string' && name.length > 0 && name.length <= 63;
    return { section: `service ${isShort ? `'${name}'` : `number ${index + 1}`}: `, rest };
  };
}

/** `completed` of a service that the agent restarts for ever never comes true. */
function findEndlessWaits(source: YamlSource, specs: readonly { spec: ServiceSpec; path: Path }[]): Diagnostic[] {
  const byName = new Map(specs.map(({ spec }) => [spec.name, spec]));
  return specs.flatMap(({ spec, path }) =>
    spec.dependencies.flatMap((dependency, at) => {
      const target = dependency.host === undefined ? byName.get(dependency.service) : undefined;
      if (dependency.condition !== 'completed' || target === undefined || target.job || !target.autoRestart) return [];
      return {
        file: source.file,
        ...source.placeOf([...path, 'dependencies', at]),
        problem: `service '${spec.name}' waits until '${target.name}' has completed, but that one is always restarted`,
        remedy: `write "job: true" in '${target.name}', or another condition`,
      };
    }),
  );
}
