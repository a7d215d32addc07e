import type { z } from 'zod';
import type { Encoding, OrderedEnvelope } from './envelope.ts';
import { AlertEvent } from './messages/alert.ts';
import { AGENT_VERBS, type AgentVerb, PROBER_VERBS, type ProberVerb } from './messages/command.ts';
import { AuditRecord, ComponentEvent } from './messages/component.ts';
import { LogBatch } from './messages/log.ts';
import { HostMetrics, RollupChunk } from './messages/metrics.ts';
import { AgentPresence, DashboardPresence, ProberPresence } from './messages/presence.ts';
import { ProbeReport, Verdict } from './messages/probe.ts';
import { InstanceEvent } from './messages/service.ts';
import {
  AGENT_VERB_PEOPLE,
  AGENT_VERB_ROLES,
  type PersonRole,
  PROBER_VERB_PEOPLE,
  PROBER_VERB_ROLES,
  type Role,
} from './roles.ts';
import type { StreamName } from './streams.ts';

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

function core<const T extends string, S extends z.ZodType>(
  template: T,
  schema: S,
  publishers: readonly Role[],
  subscribers: readonly Role[] = WATCHERS,
): Row<T, S> {
  return { template, schema, kind: 'core', publishers, subscribers };
}

function kept<const T extends string, S extends z.ZodType>(
  template: T,
  schema: S,
  stream: StreamName,
  publishers: readonly Role[],
  subscribers: readonly Role[] = WATCHERS,
): Row<T, S> {
  return { template, schema, kind: 'stream', stream, publishers, subscribers };
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
  hostPresence: core('host.{host}.presence', AgentPresence, ['agent']),
  hostMetrics: core('host.{host}.metrics', HostMetrics, ['agent']),
  hostEvent: kept('host.{host}.event', ComponentEvent, 'events', ['agent']),
  hostAudit: kept('host.{host}.audit', AuditRecord, 'audit', ['agent'], ['dashboard', 'operator', 'admin']),
  hostRollup1m: packed(kept('host.{host}.rollup.1m', RollupChunk, 'rollup-1m', ['agent'])),
  hostRollup15m: packed(kept('host.{host}.rollup.15m', RollupChunk, 'rollup-15m', ['agent'])),
  hostRollup2h: packed(kept('host.{host}.rollup.2h', RollupChunk, 'rollup-2h', ['agent'])),
  serviceRollup1m: packed(kept('service.{host}.{service}.rollup.1m', RollupChunk, 'rollup-1m', ['agent'])),
  serviceRollup15m: packed(kept('service.{host}.{service}.rollup.15m', RollupChunk, 'rollup-15m', ['agent'])),
  serviceRollup2h: packed(kept('service.{host}.{service}.rollup.2h', RollupChunk, 'rollup-2h', ['agent'])),
  instanceEvent: kept('service.{host}.{service}.{instance}.event', InstanceEvent, 'events', ['agent']),
  instanceLog: packed(kept('service.{host}.{service}.{instance}.log', LogBatch, 'logs', ['agent'])),
  instanceProbe: kept('service.{host}.{service}.{instance}.probe', ProbeReport, 'probes', ['agent']),
  proberProbe: kept('probe.{prober}.{host}.{service}.{instance}', ProbeReport, 'probes', ['prober']),
  proberPresence: core('prober.{prober}.presence', ProberPresence, ['prober']),
  proberEvent: kept('prober.{prober}.event', ComponentEvent, 'events', ['prober']),
  proberAudit: kept('prober.{prober}.audit', AuditRecord, 'audit', ['prober'], ['dashboard', 'operator', 'admin']),
  proberRollup1m: reserved(packed(kept('prober.{prober}.rollup.1m', RollupChunk, 'rollup-1m', ['prober']))),
  proberRollup15m: reserved(packed(kept('prober.{prober}.rollup.15m', RollupChunk, 'rollup-15m', ['prober']))),
  proberRollup2h: reserved(packed(kept('prober.{prober}.rollup.2h', RollupChunk, 'rollup-2h', ['prober']))),
  /** What other tools measure: as the probers' own. */
  monitorProbe: kept('monitor.{monitor}.probe.{host}.{service}.{instance}', ProbeReport, 'probes', ['monitor']),
  monitorRollup1m: packed(kept('monitor.{monitor}.rollup.1m', RollupChunk, 'rollup-1m', ['monitor'])),
  monitorRollup15m: packed(kept('monitor.{monitor}.rollup.15m', RollupChunk, 'rollup-15m', ['monitor'])),
  monitorRollup2h: packed(kept('monitor.{monitor}.rollup.2h', RollupChunk, 'rollup-2h', ['monitor'])),
  dashboardPresence: core('dashboard.{dashboard}.presence', DashboardPresence, ['dashboard']),
  dashboardAudit: kept('dashboard.{dashboard}.audit', AuditRecord, 'audit', ['dashboard'], ['operator', 'admin']),
  health: signed(kept('health.{host}.{service}.{instance}', Verdict, 'events', ['prober'])),
  alert: kept('alert.{severity}.{host}.{service}.{rule}', AlertEvent, 'alerts', ['prober'], [...WATCHERS, 'observer']),
} as const satisfies Record<string, Row>;
export type RowName = keyof typeof rows;

/** Asked of agents, and refused by name by those of this version. */
const RESERVED_AGENT_VERBS: readonly AgentVerb[] = ['scale', 'reload', 'plan', 'apply', 'verdict', 'shutdown'];
/** As those, of probers. */
const RESERVED_PROBER_VERBS: readonly ProberVerb[] = ['test', 'acknowledge', 'silence'];

function agentCommand<const V extends AgentVerb>(verb: V) {
  return {
    template: `command.{host}.${verb}`,
    kind: 'request',
    ...AGENT_VERBS[verb],
    requesters: AGENT_VERB_ROLES[verb],
    people: AGENT_VERB_PEOPLE[verb],
    responder: 'agent',
    isReserved: RESERVED_AGENT_VERBS.includes(verb),
  } as const;
}

/** Probers answer as one queue group: whoever is free takes it. */
const PROBER_QUEUE = 'probers';

function proberCommand<const V extends ProberVerb>(verb: V) {
  return {
    template: `command._prober.${verb}`,
    kind: 'request',
    ...PROBER_VERBS[verb],
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
