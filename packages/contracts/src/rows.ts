import type { z } from 'zod';
import { type Encoding, MAX_MESSAGE_BYTES, type OrderedEnvelope } from './envelope.ts';
import { AlertEvent } from './messages/alert.ts';
import {
  AGENT_VERBS,
  type AgentVerb,
  PROBER_VERBS,
  type ProberVerb,
  RESERVED_AGENT_VERBS,
} from './messages/command.ts';
import { AuditRecord, ComponentEvent } from './messages/component.ts';
import { LogBatch } from './messages/log.ts';
import { HostMetrics, RollupChunk, type RollupTier } from './messages/metrics.ts';
import { AgentPresence, DashboardPresence, ProberPresence } from './messages/presence.ts';
import { ProbeReport, Verdict } from './messages/probe.ts';
import { InstanceEvent } from './messages/service.ts';
import { ALERT_NAMES, type Names, namesOf } from './names.ts';
import {
  AGENT_VERB_PEOPLE,
  AGENT_VERB_ROLES,
  type PersonRole,
  PROBER_VERB_PEOPLE,
  PROBER_VERB_ROLES,
  type Role,
} from './roles.ts';
import { type StreamName, streams } from './streams.ts';

/**
 * One row of the wire: which subject, what travels on it, where it is kept, who may send it and who may hear it.
 * A sender role that owns a parameter of the template (an agent its host) may fill it with its own id only.
 */
export interface Row<T extends string = string, S extends z.ZodType = z.ZodType> {
  readonly template: T;
  readonly schema: S;
  /** `core` messages are lost when nobody listens; `stream` messages are kept. */
  readonly kind: 'core' | 'stream';
  readonly stream?: StreamName;
  /** What its body says again of its subject. */
  readonly names: Names;
  /** A message, unpacked and without its headers, may not be larger than this; both ends see to it. */
  readonly maxBytes: number;
  /** How its messages are packed where they are kept. */
  readonly encoding?: Encoding;
  /** Each message is signed by who publishes it; a reader takes no other. */
  readonly isSigned?: true;
  /** Nobody of Muster's own sends it yet, and until somebody does it may still change. */
  readonly isReserved?: boolean;
  readonly publishers: readonly Role[];
  readonly subscribers: readonly Role[];
}

/** A question with an answer. The responder is the agent of the host, or any prober. */
export interface RequestRow<
  T extends string = string,
  Q extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly template: T;
  readonly kind: 'request';
  readonly request: Q;
  readonly reply: R;
  /** What a question says again of its subject, and an answer of the subject and of what was asked. */
  readonly names: { readonly request: Names; readonly reply: Names };
  /** Which of its fields name a host, alone or before a `/`: who asks must be granted that one as well. */
  readonly hostFields: readonly string[];
  /** A question may not be larger than this, an answer not larger than any message. */
  readonly maxBytes: number;
  readonly requesters: readonly Role[];
  /** The least role of a person for whom a dashboard asks; `undefined`: no person's question. */
  readonly people: PersonRole | undefined;
  readonly responder: Role;
  /** Responders share the work: one of them answers. */
  readonly queue?: string;
  /** It is refused by name so far, and may still change. */
  readonly isReserved?: boolean;
}

export type MessageOf<R extends Row> = z.infer<R['schema']>;

const WATCHERS: readonly Role[] = ['prober', 'dashboard', 'operator', 'admin'];
const KIB = 1024;

function core<const T extends string, S extends z.ZodType>(
  template: T,
  schema: S,
  maxBytes: number,
  publishers: readonly Role[],
  subscribers: readonly Role[] = WATCHERS,
): Row<T, S> {
  const names = namesOf(template, schema, publishers);
  return { template, schema, kind: 'core', names, maxBytes, publishers, subscribers };
}

function kept<const T extends string, S extends z.ZodType>(
  template: T,
  schema: S,
  stream: StreamName,
  publishers: readonly Role[],
  subscribers: readonly Role[] = WATCHERS,
): Row<T, S> {
  const names = namesOf(template, schema, publishers);
  return {
    template,
    schema,
    kind: 'stream',
    stream,
    names,
    maxBytes: streams[stream].maxMessageBytes,
    publishers,
    subscribers,
  };
}

/** Whose body says more of its subject than its fields are called. */
function naming<const T extends string, S extends z.ZodType>(more: Names, row: Row<T, S>): Row<T, S> {
  return { ...row, names: { ...row.names, ...more } };
}

/** A chunk is named after its place and its first bucket. */
function chunk<const T extends string>(tier: RollupTier, place: string, row: Row<T, typeof RollupChunk>) {
  return naming({ tier, id: `${place}/${tier}/*` }, packed(row));
}

function packed<const T extends string, S extends z.ZodType>(row: Row<T, S>): Row<T, S> {
  return { ...row, encoding: 'deflate' };
}

function reserved<const T extends string, S extends z.ZodType>(row: Row<T, S>): Row<T, S> {
  return { ...row, isReserved: true };
}

/** In order too, so that an old message that somebody says again is known for an old one. */
function signed<const T extends string, S extends z.ZodType<OrderedEnvelope>>(row: Row<T, S>): Row<T, S> {
  return { ...row, isSigned: true };
}

/** Every event and sample on the wire. Nothing else is ever published under the root. */
export const rows = {
  hostPresence: core('host.{host}.presence', AgentPresence, 4 * KIB, ['agent']),
  hostMetrics: core('host.{host}.metrics', HostMetrics, MAX_MESSAGE_BYTES, ['agent']),
  hostEvent: kept('host.{host}.event', ComponentEvent, 'events', ['agent']),
  hostAudit: naming(
    { target: ['{host}', '{host}/*'] },
    kept('host.{host}.audit', AuditRecord, 'audit', ['agent'], ['dashboard', 'operator', 'admin']),
  ),
  hostRollup1m: chunk('1m', '{host}/_', kept('host.{host}.rollup.1m', RollupChunk, 'rollup-1m', ['agent'])),
  hostRollup15m: chunk('15m', '{host}/_', kept('host.{host}.rollup.15m', RollupChunk, 'rollup-15m', ['agent'])),
  hostRollup2h: chunk('2h', '{host}/_', kept('host.{host}.rollup.2h', RollupChunk, 'rollup-2h', ['agent'])),
  serviceRollup1m: chunk(
    '1m',
    '{host}/{service}',
    kept('service.{host}.{service}.rollup.1m', RollupChunk, 'rollup-1m', ['agent']),
  ),
  serviceRollup15m: chunk(
    '15m',
    '{host}/{service}',
    kept('service.{host}.{service}.rollup.15m', RollupChunk, 'rollup-15m', ['agent']),
  ),
  serviceRollup2h: chunk(
    '2h',
    '{host}/{service}',
    kept('service.{host}.{service}.rollup.2h', RollupChunk, 'rollup-2h', ['agent']),
  ),
  instanceEvent: kept('service.{host}.{service}.{instance}.event', InstanceEvent, 'events', ['agent']),
  instanceLog: packed(kept('service.{host}.{service}.{instance}.log', LogBatch, 'logs', ['agent'])),
  instanceProbe: naming(
    { 'vantage.kind': 'agent', 'vantage.id': '{host}' },
    kept('service.{host}.{service}.{instance}.probe', ProbeReport, 'probes', ['agent']),
  ),
  proberProbe: naming(
    { 'vantage.kind': 'prober', 'vantage.id': '{prober}' },
    kept('probe.{prober}.{host}.{service}.{instance}', ProbeReport, 'probes', ['prober']),
  ),
  proberPresence: core('prober.{prober}.presence', ProberPresence, 4 * KIB, ['prober']),
  proberEvent: kept('prober.{prober}.event', ComponentEvent, 'events', ['prober']),
  proberAudit: kept('prober.{prober}.audit', AuditRecord, 'audit', ['prober'], ['dashboard', 'operator', 'admin']),
  proberRollup1m: reserved(
    naming({ tier: '1m' }, packed(kept('prober.{prober}.rollup.1m', RollupChunk, 'rollup-1m', ['prober']))),
  ),
  proberRollup15m: reserved(
    naming({ tier: '15m' }, packed(kept('prober.{prober}.rollup.15m', RollupChunk, 'rollup-15m', ['prober']))),
  ),
  proberRollup2h: reserved(
    naming({ tier: '2h' }, packed(kept('prober.{prober}.rollup.2h', RollupChunk, 'rollup-2h', ['prober']))),
  ),
  /** What other tools measure: as the probers' own. */
  monitorProbe: naming(
    { 'vantage.kind': 'monitor', 'vantage.id': '{monitor}' },
    kept('monitor.{monitor}.probe.{host}.{service}.{instance}', ProbeReport, 'probes', ['monitor']),
  ),
  monitorRollup1m: naming(
    { tier: '1m' },
    packed(kept('monitor.{monitor}.rollup.1m', RollupChunk, 'rollup-1m', ['monitor'])),
  ),
  monitorRollup15m: naming(
    { tier: '15m' },
    packed(kept('monitor.{monitor}.rollup.15m', RollupChunk, 'rollup-15m', ['monitor'])),
  ),
  monitorRollup2h: naming(
    { tier: '2h' },
    packed(kept('monitor.{monitor}.rollup.2h', RollupChunk, 'rollup-2h', ['monitor'])),
  ),
  dashboardPresence: core('dashboard.{dashboard}.presence', DashboardPresence, 4 * KIB, ['dashboard']),
  dashboardAudit: kept('dashboard.{dashboard}.audit', AuditRecord, 'audit', ['dashboard'], ['operator', 'admin']),
  busEvent: kept('bus.event', ComponentEvent, 'events', ['admin']),
  health: signed(kept('health.{host}.{service}.{instance}', Verdict, 'events', ['prober'])),
  alert: naming(
    { ...ALERT_NAMES, 'data.severity': '{severity}' },
    kept('alert.{severity}.{host}.{service}.{rule}', AlertEvent, 'alerts', ['prober'], [...WATCHERS, 'observer']),
  ),
} as const satisfies Record<string, Row>;
export type RowName = keyof typeof rows;

/** Asked of probers, and refused by name by those of this version. */
const RESERVED_PROBER_VERBS: readonly ProberVerb[] = ['test', 'acknowledge', 'silence'];
/** Of a question. Those that carry a file or a list are as large as any message. */
const QUESTION_BYTES = 32 * KIB;
const LARGE_QUESTIONS: readonly (AgentVerb | ProberVerb)[] = ['plan', 'apply', 'revocations'];

function maxBytesOf(verb: AgentVerb | ProberVerb): number {
  return LARGE_QUESTIONS.includes(verb) ? MAX_MESSAGE_BYTES : QUESTION_BYTES;
}

/** Questions and answers are from who has signed them: `signer` is that. */
const SIGNED_BY: Names = { source: '{signer}' };

/** What a question says of the host that it goes to. */
const REQUEST_NAMES: Readonly<Partial<Record<AgentVerb, Names>>> = {
  verdict: { 'verdict.host': '{host}', 'verdict.source': 'prober/*' },
};

/** What an answer says of the host that it comes from, and of the service that was asked for. */
const REPLY_NAMES: Readonly<Partial<Record<AgentVerb, Names>>> = {
  status: { 'instances[].host': '{host}', 'instances[].source': 'agent/{host}' },
  why: { ...placeNames('status'), ...placeNames('events[]') },
  series: { 'chunks[].tier': '{tier}' },
};

/** What the fields of questions are called that name a host. */
const HOST_FIELDS = ['host', 'fingerprint', 'target'] as const;

function hostFieldsOf({ shape }: z.ZodObject): readonly string[] {
  return HOST_FIELDS.filter((field) => field in shape);
}

function placeNames(field: string): Names {
  return {
    [`${field}.source`]: 'agent/{host}',
    [`${field}.host`]: '{host}',
    [`${field}.service`]: '{service}',
    [`${field}.instance`]: '{instance}',
  };
}

function agentCommand<const V extends AgentVerb>(verb: V) {
  return {
    template: `command.{host}.${verb}`,
    kind: 'request',
    ...AGENT_VERBS[verb],
    names: { request: { ...SIGNED_BY, ...REQUEST_NAMES[verb] }, reply: { ...SIGNED_BY, ...REPLY_NAMES[verb] } },
    hostFields: hostFieldsOf(AGENT_VERBS[verb].request),
    maxBytes: maxBytesOf(verb),
    requesters: AGENT_VERB_ROLES[verb],
    people: AGENT_VERB_PEOPLE[verb],
    responder: 'agent',
    isReserved: (RESERVED_AGENT_VERBS as readonly AgentVerb[]).includes(verb),
  } as const;
}

/** Probers answer as one queue group: whoever is free takes it. */
const PROBER_QUEUE = 'probers';

function proberCommand<const V extends ProberVerb>(verb: V) {
  return {
    template: `command._prober.${verb}`,
    kind: 'request',
    ...PROBER_VERBS[verb],
    names: { request: SIGNED_BY, reply: SIGNED_BY },
    hostFields: hostFieldsOf(PROBER_VERBS[verb].request),
    maxBytes: maxBytesOf(verb),
    requesters: PROBER_VERB_ROLES[verb],
    people: PROBER_VERB_PEOPLE[verb],
    responder: 'prober',
    queue: PROBER_QUEUE,
    isReserved: RESERVED_PROBER_VERBS.includes(verb),
  } as const;
}

/** Every question on the wire. */
export const commands = {
  start: agentCommand('start'),
  stop: agentCommand('stop'),
  restart: agentCommand('restart'),
  scale: agentCommand('scale'),
  reload: agentCommand('reload'),
  plan: agentCommand('plan'),
  apply: agentCommand('apply'),
  status: agentCommand('status'),
  why: agentCommand('why'),
  outcome: agentCommand('outcome'),
  logs: agentCommand('logs'),
  series: agentCommand('series'),
  watch: agentCommand('watch'),
  adopt: agentCommand('adopt'),
  forget: agentCommand('forget'),
  verdict: agentCommand('verdict'),
  dependency: agentCommand('dependency'),
  revocations: agentCommand('revocations'),
  shutdown: agentCommand('shutdown'),
  claim: agentCommand('claim'),
} as const satisfies { readonly [V in AgentVerb]: RequestRow };

export const proberCommands = {
  bus: proberCommand('bus'),
  probe: proberCommand('probe'),
  test: proberCommand('test'),
  acknowledge: proberCommand('acknowledge'),
  silence: proberCommand('silence'),
  remove: proberCommand('remove'),
  recover: proberCommand('recover'),
  alerts: proberCommand('alerts'),
} as const satisfies { readonly [V in ProberVerb]: RequestRow };
