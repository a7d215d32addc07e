import { z } from 'zod';
import { Envelope, Timestamp } from '../envelope.ts';
import { Id, InstanceNumber } from '../ids.ts';
import { Verdict } from './probe.ts';
import { InstanceEvent, InstanceStatus } from './service.ts';

/** Headers of a signed command: the sender's nkey over subject, id, freshness and body; and the root-signed grant. */
export const SIGNATURE_HEADER = 'Muster-Signature';
export const GRANT_HEADER = 'Muster-Grant';

/** How long a quoted presence counts as fresh, by the agent's own clock. */
export const FRESHNESS_MS = 10_000;

/** What every command carries. The same id never acts twice. */
export const CommandEnvelope = Envelope.extend({
  /** Who asked, for the audit: a person or a program. */
  actor: z.string().min(1).max(200),
  /** The agent's last presence or status as the sender saw it; required for what acts. */
  fresh: z.object({ epoch: z.int().min(0), seq: z.int().min(0) }).optional(),
});

export const COMMAND_CODES = [
  'ok',
  'unknown-service',
  'unknown-instance',
  'system-service',
  'stale',
  'forbidden',
  'unsupported',
  'bad-request',
  'wrong-state',
  'internal',
  'unknown',
] as const;
export const CommandCode = z.enum(COMMAND_CODES).catch('unknown');
export type CommandCode = (typeof COMMAND_CODES)[number];

/** Accepted or refused with the reason. The outcome is an event that carries the command's id among its causes. */
export const ReplyEnvelope = Envelope.extend({
  commandId: z.string(),
  accepted: z.boolean(),
  code: CommandCode,
  reason: z.string(),
});

/** A refusal alone: what a question that was not understood is answered with, whatever its answer would have been. */
export const Refusal = ReplyEnvelope.extend({ accepted: z.literal(false) });
export type Refusal = z.infer<typeof Refusal>;

/** A question about one service, or one of its instances. */
export const InstanceTarget = CommandEnvelope.extend({ service: Id, instance: InstanceNumber.optional() });
/** A question about one service. */
export const ServiceTarget = CommandEnvelope.extend({ service: Id });

/** Where the agent stands, for quoting as `fresh`. */
export const PositionReply = ReplyEnvelope.extend({ epoch: z.int().min(0), seq: z.int().min(0) });

const verb = <Q extends z.ZodType, R extends z.ZodType>(request: Q, reply: R) => ({ request, reply });

/** What an agent can be asked: `command.<host>.<verb>`. */
export const AGENT_VERBS = {
  start: verb(InstanceTarget, ReplyEnvelope),
  stop: verb(InstanceTarget, ReplyEnvelope),
  restart: verb(InstanceTarget, ReplyEnvelope),
  scale: verb(ServiceTarget.extend({ instances: z.int().min(0).max(9_999) }), ReplyEnvelope),
  reload: verb(CommandEnvelope, ReplyEnvelope),
  plan: verb(CommandEnvelope.extend({ services: z.string() }), ReplyEnvelope.extend({ changes: z.array(z.string()) })),
  apply: verb(CommandEnvelope.extend({ services: z.string() }), ReplyEnvelope.extend({ changes: z.array(z.string()) })),
  status: verb(CommandEnvelope, PositionReply.extend({ instances: z.array(InstanceStatus) })),
  why: verb(
    InstanceTarget,
    PositionReply.extend({ status: InstanceStatus.optional(), events: z.array(InstanceEvent) }),
  ),
  outcome: verb(
    CommandEnvelope.extend({ of: z.string() }),
    ReplyEnvelope.extend({ outcome: z.enum(['unknown', 'accepted', 'refused', 'done', 'failed']).catch('unknown') }),
  ),
  logs: verb(
    InstanceTarget.extend({ lines: z.int().min(1).max(10_000), stream: z.enum(['stdout', 'stderr']).optional() }),
    ReplyEnvelope.extend({ lines: z.array(z.object({ stream: z.enum(['stdout', 'stderr']), text: z.string() })) }),
  ),
  /** Metrics each second, for `leaseMs` from the reply on. Renewed by asking again. */
  watch: verb(CommandEnvelope, ReplyEnvelope.extend({ leaseMs: z.number().min(0) })),
  adopt: verb(InstanceTarget, ReplyEnvelope),
  forget: verb(InstanceTarget, ReplyEnvelope),
  verdict: verb(CommandEnvelope.extend({ verdict: Verdict }), ReplyEnvelope),
  dependency: verb(CommandEnvelope.extend({ target: z.string(), met: z.boolean(), reason: z.string() }), ReplyEnvelope),
  shutdown: verb(CommandEnvelope, ReplyEnvelope),
} as const;
export type AgentVerb = keyof typeof AGENT_VERBS;

/** A question about one alert. */
export const AlertTarget = CommandEnvelope.extend({ fingerprint: z.string() });

/** What the probers can be asked, as one queue group: `command._prober.<verb>`. */
export const PROBER_VERBS = {
  probe: verb(InstanceTarget.extend({ host: Id }), ReplyEnvelope),
  test: verb(CommandEnvelope.extend({ rule: Id }), ReplyEnvelope),
  acknowledge: verb(AlertTarget.extend({ comment: z.string().optional(), until: Timestamp.optional() }), ReplyEnvelope),
  silence: verb(AlertTarget.extend({ comment: z.string().optional(), until: Timestamp }), ReplyEnvelope),
  /** May this instance be restarted for its health? Granted slots are few, so that a sick fleet is not restarted at once. */
  recover: verb(
    InstanceTarget.extend({ host: Id, generation: z.int().min(0), reason: z.string() }),
    /** `slotMs`: for how long from the reply on the place is this instance's; 0 when it is not granted. */
    ReplyEnvelope.extend({ granted: z.boolean(), slotMs: z.number().min(0) }),
  ),
} as const;
export type ProberVerb = keyof typeof PROBER_VERBS;

export type AgentRequest<V extends AgentVerb> = z.infer<(typeof AGENT_VERBS)[V]['request']>;
export type AgentReply<V extends AgentVerb> = z.infer<(typeof AGENT_VERBS)[V]['reply']>;
export type ProberRequest<V extends ProberVerb> = z.infer<(typeof PROBER_VERBS)[V]['request']>;
export type ProberReply<V extends ProberVerb> = z.infer<(typeof PROBER_VERBS)[V]['reply']>;
