import { z } from 'zod';
import { Amount, Causes, Count, prose, Reason, ShortText } from '../bounds.ts';
import { OrderedEnvelope, Timestamp } from '../envelope.ts';
import { InstanceRef } from './service.ts';

/** Why a probe failed: a closed list, so that rules and people can count on it. */
export const PROBE_REASONS = [
  'refused',
  'timeout',
  'dns',
  'tls',
  'status',
  'body',
  'reset',
  'unreachable',
  'protocol',
  'aborted',
  // Who probes does not connect there, whoever asks: it says nothing about the target.
  'forbidden',
  'unknown',
] as const;
export const ProbeReason = z.enum(PROBE_REASONS).catch('unknown');
export type ProbeReason = (typeof PROBE_REASONS)[number];

export const PROBE_STATUSES = ['up', 'degraded', 'down', 'skipped', 'unknown'] as const;
export const ProbeStatus = z.enum(PROBE_STATUSES).catch('unknown');
export type ProbeStatus = (typeof PROBE_STATUSES)[number];

/** Where the time of one request went. A phase that did not happen is 0. */
export const ProbePhases = z.object({
  resolveMs: Amount,
  connectMs: Amount,
  tlsMs: Amount,
  processingMs: Amount,
  transferMs: Amount,
});
export type ProbePhases = z.infer<typeof ProbePhases>;

/** From where a target was seen. */
export const Vantage = z.object({
  kind: z.enum(['agent', 'prober', 'monitor', 'unknown']).catch('unknown'),
  id: ShortText,
});
export type Vantage = z.infer<typeof Vantage>;

/** One result: the agent's of its own service, or a prober's. A vote, not a verdict. */
export const ProbeReport = OrderedEnvelope.extend({
  ...InstanceRef.shape,
  /** Which run was probed; a result counts for that run only. 0 when the prober doesn't know. */
  generation: Count,
  vantage: Vantage,
  /** What it was asked for. */
  purpose: z.enum(['startup', 'readiness', 'liveness', 'external', 'unknown']).catch('unknown'),
  protocol: ShortText,
  status: ProbeStatus,
  reason: ProbeReason.optional(),
  /** For people: what was expected and what came. */
  detail: prose(1_024).optional(),
  durationMs: Amount,
  phases: ProbePhases.optional(),
  httpStatus: z.int().min(0).max(999).optional(),
});
export type ProbeReport = z.infer<typeof ProbeReport>;

export const VERDICTS = ['healthy', 'degraded', 'partial', 'unhealthy', 'unknown'] as const;
export const VerdictName = z.enum(VERDICTS).catch('unknown');
export type VerdictName = (typeof VERDICTS)[number];

/** Of more vantages the first are told. */
export const MAX_VOTES = 10;

/** What the judging prober makes of all votes on one instance. Stream EVENTS, then KV `health`. */
export const Verdict = OrderedEnvelope.extend({
  ...InstanceRef.shape,
  /** The verdict is void for any other run. */
  generation: Count,
  verdict: VerdictName,
  /** `soft` while it is being confirmed. */
  hardness: z.enum(['soft', 'hard']).catch('soft'),
  attempt: Count,
  maxAttempts: z.int().min(1).max(1_000),
  reason: Reason,
  changedAt: Timestamp,
  votes: z
    .array(
      z.object({
        vantage: Vantage,
        status: ProbeStatus,
        reason: ProbeReason.optional(),
        detail: prose(128).optional(),
        durationMs: Amount.optional(),
      }),
    )
    .max(MAX_VOTES),
  causes: Causes,
});
export type Verdict = z.infer<typeof Verdict>;
