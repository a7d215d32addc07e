import { z } from 'zod';
import { AnyNumber, Causes, Count, Epoch, Labels, MAX_INSTANCES, prose, Reason, Reference, Seq } from '../bounds.ts';
import { Source, Timestamp } from '../envelope.ts';
import { Id, IdOrNone, InstanceNumber } from '../ids.ts';

export const SEVERITIES = ['critical', 'warning', 'info'] as const;
export const Severity = z.enum(SEVERITIES);
export type Severity = z.infer<typeof Severity>;

export const ALERT_STATES = ['pending', 'firing', 'acknowledged', 'resolved', 'unknown'] as const;
export const AlertState = z.enum(ALERT_STATES).catch('unknown');
export type AlertState = (typeof ALERT_STATES)[number];

export const AlertData = z.object({
  state: AlertState,
  severity: Severity,
  host: Id,
  /** `_` for an alert about the host itself. */
  service: IdOrNone,
  rule: Id,
  /** `<host>/<service>/<rule>`: the same through all its states. */
  fingerprint: z.string().max(200),
  /** One line for people. */
  summary: prose(512),
  reason: Reason,
  startsAt: Timestamp,
  endsAt: Timestamp.optional(),
  instances: z.array(InstanceNumber).max(MAX_INSTANCES),
  generation: Count.optional(),
  /** Ids of the events and verdicts that caused it. */
  causes: Causes,
  /** The last 15 values of what the rule looks at, oldest first, so that a late subscriber knows the story. */
  history: z.array(z.object({ time: Timestamp, value: z.union([AnyNumber, prose(128)]) })).max(15),
  labels: Labels,
});
export type AlertData = z.infer<typeof AlertData>;

/** CloudEvents 1.0 in JSON; `epoch` and `seq` are extension attributes. Type: `io.muster.alert.<state>`. */
export const AlertEvent = z.object({
  specversion: z.literal('1.0'),
  id: Reference,
  source: Source,
  type: z.string().min(1).max(64),
  subject: z.string().min(1).max(200),
  time: Timestamp,
  datacontenttype: z.literal('application/json'),
  epoch: Epoch,
  seq: Seq,
  data: AlertData,
});
export type AlertEvent = z.infer<typeof AlertEvent>;

/** What makes two alert events the same alert. */
export function alertFingerprint(host: string, service: string, rule: string): string {
  return `${host}/${service}/${rule}`;
}
