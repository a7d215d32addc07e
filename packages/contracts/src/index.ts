export * from './answers.ts';
export { AnyValue } from './any-value.ts';
export {
  MAX_DEPENDENCIES,
  MAX_ENVIRONMENT_NAMES,
  MAX_INSTANCES,
  MAX_INSTANCES_PER_HOST,
  MAX_LABEL_BYTES,
  MAX_LABELS,
  MAX_LINE_CHARS,
  MAX_SERVICES,
  nextEpoch,
} from './bounds.ts';
export * from './buckets.ts';
export * from './bus-address.ts';
export { Deadline } from './deadline.ts';
export * from './envelope.ts';
export * from './fleet-change.ts';
export { HostQuota } from './host-quota.ts';
export * from './host-subjects.ts';
export * from './ids.ts';
export * from './log-filter.ts';
export { messageOf } from './message-of.ts';
export * from './messages/alert.ts';
export * from './messages/command.ts';
export * from './messages/component.ts';
export * from './messages/grant.ts';
export * from './messages/incarnation.ts';
export * from './messages/log.ts';
export * from './messages/metrics.ts';
export * from './messages/presence.ts';
export * from './messages/probe.ts';
export * from './messages/service.ts';
export * from './messages/status-file.ts';
export * from './messages/stored.ts';
export * from './observers.ts';
export { PatternError } from './pattern-error.ts';
export * from './permissions.ts';
export { parseShown, printable, printableJson, printableLine, printableLines } from './plain/printable.js';
export * from './presence.ts';
export { isRedacted, REDACTED, redact, redactCommand, redactDeep, redactLogLine } from './redact.ts';
export * from './roles.ts';
export * from './rollups.ts';
export * from './row-match.ts';
export * from './rows.ts';
export { isSecretName } from './secret-name.ts';
export { secretValues } from './secret-values.ts';
export * from './stream-definitions.ts';
export * from './streams.ts';
export * from './subject.ts';
