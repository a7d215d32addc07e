export { BusTls, tlsFilesFrom } from './bus-tls.ts';
export { BusUrls, busServers } from './bus-url.ts';
export type { ReservedService } from './cross-checks.ts';
export { byPlace, type Diagnostic, formatDiagnostic, nearest } from './diagnostic.ts';
export { RetentionMap, readRetention } from './retention.ts';
export { type DependencyCondition, IdText, servicesJsonSchema, strictMap, wholeNumber } from './schema.ts';
export {
  type LogSpec,
  type ProbeCheck,
  type ProbeKind,
  type ProbeSpec,
  type ServiceSpec,
  specHash,
} from './service-spec.ts';
export { readServices } from './services-file.ts';
export { checkShape, describe } from './shape.ts';
export { durationMs, parseAge, parseDuration } from './units.ts';
export { type Path, type Place, parseYaml } from './yaml-source.ts';
