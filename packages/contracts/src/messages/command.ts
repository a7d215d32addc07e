import { z } from 'zod';
import {
  Amount,
  Count,
  Epoch,
  MAX_INSTANCES,
  MAX_INSTANCES_PER_HOST,
  prose,
  Reason,
  Reference,
  Seq,
  ShortText,
} from '../bounds.ts';
import { Envelope, MAX_MESSAGE_BYTES, Timestamp } from '../envelope.ts';
import { Id, InstanceNumber } from '../ids.ts';
import { AlertEvent } from './alert.ts';
import { Incarnation } from './incarnation.ts';
import { LOG_LEVELS, LogLine, LogStream } from './log.ts';
import { ROLLUP_TIERS, RollupColumns } from './metrics.ts';
import { Verdict } from './probe.ts';
import { DependencyCondition, DependencyTarget, InstanceEvent, InstanceStatus } from './service.ts';

/**
 * Headers of what is signed. The asker signs subject and body, which holds id and quoted position; the giver
 * of the answer signs the question's signature and the body; the sender of a message that must be signed, its subject and
 * body. The grant, signed by the root, says whose key that is.
 */
export const SIGNATURE_HEADER = 'Muster-Signature';
export const GRANT_HEADER = 'Muster-Grant';
/** Beside them, where a dashboard asks for a person: what it vouches for, signed by its key. The question's signature covers it. */
export const PERSON_HEADER = 'Muster-Person';

/** How long a quoted presence counts as fresh, by the agent's own clock. */
export const FRESHNESS_MS = 10_000;

/** What every command carries. The same id never acts twice. */
export const CommandEnvelope = Envelope.extend({
  /** Who asked, for the audit: a person or a program. */
  actor: z.string().min(1).max(200),
  /** The agent's last presence or status as the sender saw it; required for what acts. */
  fresh: z.object({ epoch: Epoch, seq: Seq }).optional(),
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
  /** Empty of a question that could not be read. */
  commandId: z.string().max(200),
  accepted: z.boolean(),
  code: CommandCode,
  reason: Reason,
});

/** A refusal alone: what a question that was not understood is answered with, whatever its answer would have been. */
export const Refusal = ReplyEnvelope.extend({ accepted: z.literal(false) });
export type Refusal = z.infer<typeof Refusal>;

/** A question about one service, or one of its instances. */
export const InstanceTarget = CommandEnvelope.extend({ service: Id, instance: InstanceNumber.optional() });
/** A question about one service. */
export const ServiceTarget = CommandEnvelope.extend({ service: Id });

/** Where the agent stands, for quoting as `fresh`. */
export const PositionReply = ReplyEnvelope.extend({ epoch: Epoch, seq: Seq });

/** Places in the two log files of an instance. */
const LogOffsets = z.object({ stdout: Count, stderr: Count });
export type LogOffsets = z.infer<typeof LogOffsets>;
/** One agent among several that want to speak for one host. */
export const Claimant = z.object({
  /** Random, of this run of the agent: a copied state directory has the same agent id. */
  claimant: z.string().min(1).max(128),
  agentId: ShortText,
  bootId: ShortText,
  epoch: Epoch,
});
export type Claimant = z.infer<typeof Claimant>;

/** For how long the word of the leading prober on a service of another host counts. */
export const DEPENDENCY_LEASE_MS = 30_000;

export const COMMAND_OUTCOMES = ['unknown', 'accepted', 'refused', 'done', 'failed'] as const;
export const CommandOutcome = z.enum(COMMAND_OUTCOMES).catch('unknown');
export type CommandOutcome = (typeof COMMAND_OUTCOMES)[number];

/** A file, or a list that is signed. */
const FileText = z.string().max(MAX_MESSAGE_BYTES);
const Changes = z.array(prose(1_024)).max(1_000);

const verb = <Q extends z.ZodType, R extends z.ZodType>(request: Q, reply: R) => ({ request, reply });

/** What an agent can be asked: `command.<host>.<verb>`. */
export const AGENT_VERBS = {
  start: verb(InstanceTarget, ReplyEnvelope),
  stop: verb(InstanceTarget, ReplyEnvelope),
  restart: verb(InstanceTarget, ReplyEnvelope),
  scale: verb(ServiceTarget.extend({ instances: z.int().min(0).max(MAX_INSTANCES) }), ReplyEnvelope),
  reload: verb(CommandEnvelope, ReplyEnvelope),
  plan: verb(CommandEnvelope.extend({ services: FileText }), ReplyEnvelope.extend({ changes: Changes })),
  apply: verb(CommandEnvelope.extend({ services: FileText }), ReplyEnvelope.extend({ changes: Changes })),
  status: verb(
    CommandEnvelope,
    PositionReply.extend({ instances: z.array(InstanceStatus).max(MAX_INSTANCES_PER_HOST) }),
  ),
  why: verb(
    InstanceTarget,
    PositionReply.extend({ status: InstanceStatus.optional(), events: z.array(InstanceEvent).max(1_000) }),
  ),
  /** What became of the command with the id `of`. `unknown`: this agent has never seen it, so it has not acted on it. */
  outcome: verb(
    CommandEnvelope.extend({ of: Reference }),
    ReplyEnvelope.extend({
      outcome: CommandOutcome,
      /** What had been asked, and of which instance. */
      verb: ShortText.optional(),
      service: Id.optional(),
      instance: InstanceNumber.optional(),
    }),
  ),
  logs: verb(
    InstanceTarget.extend({
      /** The last so many that fit, or with `from` the first. */
      lines: z.int().min(1).max(10_000),
      stream: LogStream.optional(),
      /** At least so severe. */
      level: z.enum(LOG_LEVELS).optional(),
      /** Contained in the line, whatever the case of its letters. */
      text: z.string().min(1).max(1_000).optional(),
      /** Found in the line. In RE2's syntax: without lookaround and back-references. */
      regex: z.string().min(1).max(1_000).optional(),
      since: Timestamp.optional(),
      until: Timestamp.optional(),
      /** Only what stands before these offsets of the log files: the page before. */
      before: LogOffsets.optional(),
      /** What stands from these offsets on: the page after. */
      from: LogOffsets.optional(),
    }),
    ReplyEnvelope.extend({
      /** A line that carries no time of its own has none here: nobody saw when it was written. */
      lines: z.array(LogLine.partial({ time: true })).max(10_000),
      /** There is more: ask again with these as `before`, or as `from` where that was asked. */
      next: LogOffsets.optional(),
    }),
  ),
  /**
   * What no stream has yet of one tier: the chunks that wait for the bus, and the open one. Of a service, or without one of
   * the host itself.
   */
  series: verb(
    CommandEnvelope.extend({ service: Id.optional(), tier: z.enum(ROLLUP_TIERS) }),
    ReplyEnvelope.extend({ chunks: z.array(RollupColumns).max(64) }),
  ),
  /** Metrics each second, for `leaseMs` from the reply on. Renewed by asking again. */
  watch: verb(CommandEnvelope, ReplyEnvelope.extend({ leaseMs: Amount })),
  adopt: verb(InstanceTarget, ReplyEnvelope),
  forget: verb(InstanceTarget, ReplyEnvelope),
  verdict: verb(CommandEnvelope.extend({ verdict: Verdict }), ReplyEnvelope),
  /**
   * How a service of another host stands, `<host>/<service>`: told by the leading prober whenever it changes, and again
   * before `DEPENDENCY_LEASE_MS` are over. Without that it counts as not known.
   */
  dependency: verb(
    CommandEnvelope.extend({
      target: DependencyTarget,
      /** Absent means ready. */
      condition: DependencyCondition.optional(),
      met: z.boolean(),
      reason: Reason,
    }),
    ReplyEnvelope,
  ),
  /** The list of revoked keys, which the root has signed itself; answered with the version that is in force then. */
  revocations: verb(CommandEnvelope.extend({ list: FileText }), ReplyEnvelope.extend({ version: Count })),
  shutdown: verb(CommandEnvelope, ReplyEnvelope),
  /** An agent asks who else speaks for its host. Only the one that does answers, and its answer is a refusal. `isHolder`: the asker does as well. */
  claim: verb(
    CommandEnvelope.extend({ ...Claimant.shape, isHolder: z.boolean() }),
    ReplyEnvelope.extend(Claimant.shape),
  ),
} as const;
export type AgentVerb = keyof typeof AGENT_VERBS;

/** What acts on an instance: it must quote a fresh position, the same id never acts twice, and it has an outcome. */
export const ACTING_VERBS = ['start', 'stop', 'restart', 'adopt', 'forget'] as const satisfies readonly AgentVerb[];
export type ActingVerb = (typeof ACTING_VERBS)[number];

/** Asked of agents, and refused by name by those of this version: they may still change. */
export const RESERVED_AGENT_VERBS = [
  'scale',
  'reload',
  'plan',
  'apply',
  'verdict',
  'shutdown',
] as const satisfies readonly AgentVerb[];

/** So many alerts fit into one answer. */
export const MAX_ALERTS_TOLD = 100;

/** A question about one alert. */
export const AlertTarget = CommandEnvelope.extend({ fingerprint: z.string().max(200) });

/**
 * What the probers can be asked, as one queue group: `command._prober.<verb>`. No verb may be one of the agents': who may
 * ask that of every host may ask it of `_prober` too.
 */
export const PROBER_VERBS = {
  /** Which life of the bus's store this is, and how far it went back: asked after each connection, and when it looks so. */
  bus: verb(CommandEnvelope, ReplyEnvelope.extend({ ...Incarnation.shape })),
  probe: verb(InstanceTarget.extend({ host: Id }), ReplyEnvelope),
  test: verb(CommandEnvelope.extend({ rule: Id }), ReplyEnvelope),
  acknowledge: verb(
    AlertTarget.extend({ comment: prose(1_024).optional(), until: Timestamp.optional() }),
    ReplyEnvelope,
  ),
  silence: verb(AlertTarget.extend({ comment: prose(1_024).optional(), until: Timestamp }), ReplyEnvelope),
  /** The host has been taken away: all that is stored of it goes, and so do its alerts. Refused while it is heard. */
  remove: verb(CommandEnvelope.extend({ host: Id }), ReplyEnvelope.extend({ keys: Count })),
  /** May this instance be restarted for its health? Granted slots are few, so that a sick fleet is not restarted at once. */
  recover: verb(
    InstanceTarget.extend({ host: Id, generation: Count, reason: Reason }),
    /** `slotMs`: for how long from the reply on the place is this instance's; 0 when it is not granted. */
    ReplyEnvelope.extend({ granted: z.boolean(), slotMs: Amount }),
  ),
  /**
   * The alerts behind a sequence of their stream, oldest first: for an observer, who may read no stream, and has missed some
   * or may have. `hasMore`: ask again behind the last of these.
   */
  alerts: verb(
    CommandEnvelope.extend({ afterSeq: Count }),
    ReplyEnvelope.extend({
      alerts: z.array(z.object({ seq: Seq, alert: AlertEvent })).max(MAX_ALERTS_TOLD),
      hasMore: z.boolean(),
    }),
  ),
} as const;
export type ProberVerb = keyof typeof PROBER_VERBS;

export type AgentRequest<V extends AgentVerb> = z.infer<(typeof AGENT_VERBS)[V]['request']>;
export type AgentReply<V extends AgentVerb> = z.infer<(typeof AGENT_VERBS)[V]['reply']>;
export type ProberRequest<V extends ProberVerb> = z.infer<(typeof PROBER_VERBS)[V]['request']>;
export type ProberReply<V extends ProberVerb> = z.infer<(typeof PROBER_VERBS)[V]['reply']>;
