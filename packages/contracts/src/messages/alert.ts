import { z } from 'zod';
import { Timestamp } from '../envelope.ts';
import { Id, IdOrNone } from '../ids.ts';

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
  fingerprint: z.string(),
  /** One line for people. */
  summary: z.string(),
  reason: z.string(),
  startsAt: Timestamp,
  endsAt: Timestamp.optional(),
  instances: z.array(z.int().min(0)),
  generation: z.int().min(0).optional(),
  /** Ids of the events and verdicts that caused it. */
  causes: z.array(z.string()).max(32),
  /** The last 15 values of what the rule looks at, oldest first, so that a late subscriber knows the story. */
  history: z.array(z.object({ time: Timestamp, value: z.union([z.number(), z.string()]) })).max(15),
  labels: z.record(z.string(), z.string()),
});
export type AlertData = z.infer<typeof AlertData>;

/** CloudEvents 1.0 in JSON; `epoch` and `seq` are extension attributes. Type: `io.muster.alert.<state>`. */
export const AlertEvent = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1).max(128),
  source: z.string().min(1),
  type: z.string().min(1),
  subject: z.string().min(1),
  time: Timestamp,
  datacontenttype: z.literal('application/json'),
  epoch: z.int().min(0),
  seq: z.int().min(0),
  data: AlertData,
});
export type AlertEvent = z.infer<typeof AlertEvent>;

/** What makes two alert events the same alert. */
export function alertFingerprint(host: string, service: string, rule: string): string {
  return `${host}/${service}/${rule}`;
}
