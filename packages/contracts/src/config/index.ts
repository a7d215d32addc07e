export { BusTls, tlsFilesFrom } from './bus-tls.ts';
export { BusUrls, busServers } from './bus-url.ts';
export type { ReservedService } from './cross-checks.ts';
export { byPlace, type Diagnostic, formatDiagnostic, nearest } from './diagnostic.ts';
export { RetentionMap, type RetentionReading, readRetention } from './retention.ts';
export {
  type DependencyCondition,
  IdText,
  Port,
  type ServiceTypeName,
  type StopSignal,
  servicesJsonSchema,
  strictMap,
  wholeNumber,
} from './schema.ts';
export {
  type DependencySpec,
  type LogSpec,
  type ProbeCheck,
  type ProbeKind,
  type ProbeSpec,
  type ServiceSpec,
  specHash,
} from './service-spec.ts';
export { type ReadServicesOptions, readServices, type ServicesReading } from './services-file.ts';
export { checkShape, describe, type ShapeOptions } from './shape.ts';
export { durationMs, parseAge, parseDuration, parseSize } from './units.ts';
export { type Path, type Place, parseYaml, type YamlSource } from './yaml-source.ts';
