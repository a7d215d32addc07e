import {
  type AlertEvent,
  type DashboardPresence,
  FLEET_BUCKETS,
  type InstanceStatus,
  NONE,
  PRESENCE_INTERVAL_MS,
  type ProberPresence,
  type ServiceSpecEntry,
  type Verdict,
} from '@muster/contracts';
import type {
  Action,
  AlertRow,
  ComponentRow,
  HealthView,
  HostRow,
  PageData,
  Presence,
  ServiceRow,
} from '../protocol/page.ts';
import { type Fleet, type HeardSender, type HostFacts, NO_HOST_FACTS, type Sampled } from './fleet.ts';
import { fleetHeadline } from './headline.ts';
import { presenceOf } from './presence.ts';
import { statusOf } from './row-status.ts';

/** Resolved alerts are a memory, not a list to scroll through. */
const MAX_RESOLVED_ALERTS = 30;

/** A sample older than this many of its intervals says nothing about now. */
const SAMPLE_LIVES_INTERVALS = 3;

/** What has been silent for this long, and left nothing behind, was most likely taken away. */
const FORGET_MS = 24 * 3_600_000;

/** Which environment is shown, and by whom. */
export interface RenderContext {
  readonly environment: string;
  readonly dashboard: string;
}

/**
 * What may be shown of the facts at `nowMs`. The one place that turns "was reported" into "is": a state without a recent
 * heartbeat of its host is `unknown`, a verdict without a recent heartbeat of its prober is `unknown`, an old sample is absent.
 *
 * `memo`, kept from look to look, spares the rows of hosts where nothing happened; the result is the same without it.
 */
export function render(fleet: Fleet, nowMs: number, context: RenderContext, memo: RenderMemo = new Map()): PageData {
  const hosts: Record<string, HostRow> = {};
  const services: Record<string, ServiceRow> = {};
  const judges = [...fleet.probers].map(([id, prober]) => {
    return `${id} ${presenceOf(fleet, prober.heardAtMs, nowMs)} ${prober.wallMinusMonotonicMs}`;
  });
  // Of a host that was taken away nothing stays.
  for (const host of memo.keys()) if (!fleet.hosts.has(host)) memo.delete(host);
  for (const host of [...fleet.hosts.keys()].sort()) {
    const facts = fleet.hosts.get(host) as HostFacts;
    if (isGone(facts, nowMs)) {
      memo.delete(host);
      continue;
    }
    const presence = presenceOf(fleet, facts.presence?.heardAtMs, nowMs);
    // A host that is heard confirms what its keys say only once they have been read on this connection.
    const standing = presence === 'heard' && !fleet.listed.has('status') ? 'awaited' : presence;
    for (const [key, row] of serviceRows(fleet, host, standing, judges.join(), nowMs, memo)) services[key] = row;
    hosts[host] = hostRow(host, facts, presence, nowMs);
  }
  const alerts = alertRows(fleet, nowMs);
  const components = componentRows(fleet, nowMs);
  const isComplete = FLEET_BUCKETS.every((bucket) => fleet.listed.has(bucket));
  const headline = fleetHeadline({ bus: fleet.bus, isComplete, hosts, services, alerts, components });
  return {
    fleet: { ...context, ...headline, bus: fleet.bus, isComplete },
    hosts,
    services,
    alerts,
    components,
  };
}

/** What the rows of one host were made of, and how long that holds. */
interface Remembered {
  readonly basis: readonly unknown[];
  /** The first of the samples in them is too old after this. */
  readonly freshUntilMs: number;
  readonly rows: ReadonlyMap<string, ServiceRow>;
}

/** By host. */
export type RenderMemo = Map<string, Remembered>;

function serviceRows(
  fleet: Fleet,
  host: string,
  presence: Presence,
  judges: string,
  nowMs: number,
  memo: RenderMemo,
): ReadonlyMap<string, ServiceRow> {
  const facts = fleet.hosts.get(host) ?? NO_HOST_FACTS;
  const { statuses, specs, verdicts, samples, latencies } = facts;
  // A heartbeat alone changes no row while the host is heard; when it is not, the row says when it was.
  const heardAtMs = presence === 'heard' ? undefined : facts.presence?.heardAtMs;
  const clock = facts.presence?.wallMinusMonotonicMs;
  const basis = [statuses, specs, verdicts, samples, latencies, presence, heardAtMs, clock, judges];
  const last = memo.get(host);
  if (last !== undefined && nowMs <= last.freshUntilMs && basis.every((part, i) => part === last.basis[i]))
    return last.rows;
  const sorted = [...statuses].sort(([a], [b]) => (a < b ? -1 : 1));
  const rows = new Map(
    sorted.map(([key, status]) => [`${host}.${key}`, serviceRow(fleet, facts, presence, status, key, nowMs)]),
  );
  const ends = [...samples.values()].map(freshUntilMs).filter((atMs) => atMs >= nowMs);
  memo.set(host, { basis, freshUntilMs: Math.min(Number.POSITIVE_INFINITY, ...ends), rows });
  return rows;
}

function serviceRow(
  fleet: Fleet,
  facts: HostFacts,
  presence: Presence,
  status: InstanceStatus,
  key: string,
  nowMs: number,
): ServiceRow {
  const isConfirmed = presence === 'heard';
  const spec = facts.specs.get(status.service);
  const health = healthView(fleet, facts.verdicts.get(key), status, nowMs);
  const state = isConfirmed ? status.state : 'unknown';
  const ready = isConfirmed ? status.ready : 'unknown';
  const enteredAtMs = ownTime(facts.presence, status.changedAt);
  return {
    host: status.host,
    service: status.service,
    instance: status.instance,
    type: spec?.type ?? 'unknown',
    isSystem: status.system,
    isJob: spec?.job ?? false,
    status: statusOf(state, ready, health?.verdict),
    state,
    lastState: status.state,
    isConfirmed,
    ...(!isConfirmed && facts.presence !== undefined && { lastHeardAtMs: facts.presence.heardAtMs }),
    ready,
    desired: status.desired,
    reason: status.reason,
    ...(enteredAtMs !== undefined && { enteredAtMs }),
    ...(health !== undefined && { health }),
    restarts: status.restarts,
    restartBudget: status.restartBudget,
    ...(isConfirmed && status.pid !== undefined && { pid: status.pid }),
    ...portOf(spec),
    ...(isConfirmed && isAlive(status) && usage(facts, key, nowMs)),
    ...latency(facts, key, isConfirmed && isAlive(status)),
    ...actionsFor(status, presence),
  };
}

/** Nothing runs there and nobody speaks there: what is left is a memory of a removed host. */
function isGone({ presence, statuses }: HostFacts, nowMs: number): boolean {
  return statuses.size === 0 && (presence === undefined || nowMs - presence.heardAtMs > FORGET_MS);
}

function portOf(spec: ServiceSpecEntry | undefined): { port?: number } {
  return spec?.port === undefined ? {} : { port: spec.port };
}

function isAlive({ state }: InstanceStatus): boolean {
  return state === 'running' || state === 'starting' || state === 'stopping' || state === 'orphaned';
}

function usage(facts: HostFacts, key: string, nowMs: number): { cpuRatio?: number; rssBytes?: number } {
  const sample = fresh(facts.samples.get(key), nowMs);
  return sample === undefined ? {} : { cpuRatio: roundRatio(sample.cpuRatio), rssBytes: sample.rssBytes };
}

/** The number is about now, so it needs a running service; the line is history and stays. */
function latency(facts: HostFacts, key: string, isLive: boolean): Pick<ServiceRow, 'latencyMs' | 'latencyHistory'> {
  const historyMs = facts.latencies.get(key)?.historyMs;
  if (historyMs === undefined) return {};
  const last = historyMs.at(-1);
  return { latencyHistory: historyMs, ...(isLive && typeof last === 'number' && { latencyMs: last }) };
}

/** A verdict on another run is void; one whose prober is not heard is no verdict about now. */
function healthView(
  fleet: Fleet,
  verdict: Verdict | undefined,
  status: InstanceStatus,
  nowMs: number,
): HealthView | undefined {
  if (verdict === undefined) return undefined;
  if (verdict.generation !== 0 && verdict.generation !== status.generation) return undefined;
  const prober = proberOf(fleet, verdict.source);
  const changedAtMs = ownTime(prober, verdict.changedAt);
  const common = { hardness: verdict.hardness, ...(changedAtMs !== undefined && { changedAtMs }) };
  if (presenceOf(fleet, prober?.heardAtMs, nowMs) === 'heard') {
    return { ...common, verdict: verdict.verdict, reason: verdict.reason };
  }
  const reason = `no prober confirms it now; the last verdict was ${verdict.verdict}: ${verdict.reason}`;
  return { ...common, verdict: 'unknown', reason };
}

/** The prober that speaks in `source` (`prober/<id>`). */
function proberOf(fleet: Fleet, source: string): HeardSender<ProberPresence> | undefined {
  return fleet.probers.get(source.slice(source.lastIndexOf('/') + 1));
}

const NOT_HEARD: Readonly<Record<Exclude<Presence, 'heard'>, string>> = {
  awaited: 'its host has not been heard yet since this dashboard connected',
  silent: 'its host is not heard: nobody there would get the command',
  blind: 'the bus connection is lost: a command would not arrive',
};

function actionsFor(status: InstanceStatus, presence: Presence): Pick<ServiceRow, 'actions' | 'actionsRefusal'> {
  if (status.system)
    return {
      actions: [],
      actionsRefusal: "one of Muster's own services: it can't be stopped over the bus that needs it",
    };
  if (presence !== 'heard') return { actions: [], actionsRefusal: NOT_HEARD[presence] };
  return { actions: ACTIONS_IN[status.state] };
}

/** What makes sense in which state; the agent has the last word. */
const ACTIONS_IN: Readonly<Record<InstanceStatus['state'], readonly Action[]>> = {
  pending: ['stop'],
  starting: ['stop', 'restart'],
  running: ['stop', 'restart'],
  backoff: ['start', 'stop', 'restart'],
  stopping: ['start'],
  stopped: ['start'],
  completed: ['start'],
  failed: ['start', 'stop', 'restart'],
  orphaned: [],
  unknown: ['start', 'stop', 'restart'],
};

function hostRow(host: string, facts: HostFacts, presence: Presence, nowMs: number): HostRow {
  const heartbeat = facts.presence?.heartbeat;
  const sample = presence === 'heard' ? fresh(facts.sample, nowMs) : undefined;
  const notShown = sum(facts.excess?.values() ?? []);
  return {
    host,
    status: presence === 'heard' ? 'good' : presence === 'awaited' ? 'busy' : 'unknown',
    presence,
    ...(facts.presence !== undefined && { heardAtMs: Math.round(facts.presence.heardAtMs) }),
    ...(heartbeat !== undefined && { agentVersion: heartbeat.version, backlog: heartbeat.backlog }),
    services: facts.statuses.size,
    ...(notShown > 0 && { notShown }),
    ...(sample !== undefined && {
      uptimeSeconds: Math.round(sample.uptimeSeconds),
      cpuRatio: roundRatio(sample.cpuRatio),
      cores: sample.cores.length,
      load1: sample.load1,
      memoryUsedBytes: sample.memoryTotalBytes - sample.memoryAvailableBytes,
      memoryTotalBytes: sample.memoryTotalBytes,
    }),
  };
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

function alertRows(fleet: Fleet, nowMs: number): Record<string, AlertRow> {
  const all = [...fleet.alerts.values()].filter(({ data }) => data.state !== 'pending');
  const open = all.filter(({ data }) => data.state !== 'resolved');
  const resolved = all.filter(({ data }) => data.state === 'resolved').sort(latestFirst);
  const rows: Record<string, AlertRow> = {};
  for (const event of [...open.sort(latestFirst), ...resolved.slice(0, MAX_RESOLVED_ALERTS)]) {
    rows[event.data.fingerprint] = alertRow(fleet, event, nowMs);
  }
  return rows;
}

/** Probers' clocks order the list only; no decision hangs on them. */
function latestFirst(a: AlertEvent, b: AlertEvent): number {
  const order = Date.parse(b.data.endsAt ?? b.data.startsAt) - Date.parse(a.data.endsAt ?? a.data.startsAt);
  return order || (a.data.fingerprint < b.data.fingerprint ? -1 : 1);
}

function alertRow(fleet: Fleet, { source, data }: AlertEvent, nowMs: number): AlertRow {
  const prober = proberOf(fleet, source);
  const startedAtMs = ownTime(prober, data.startsAt);
  const endedAtMs = ownTime(prober, data.endsAt);
  return {
    fingerprint: data.fingerprint,
    state: data.state,
    severity: data.severity,
    host: data.host,
    ...(data.service !== NONE && { service: data.service }),
    rule: data.rule,
    summary: data.summary,
    reason: data.reason,
    ...(startedAtMs !== undefined && { startedAtMs }),
    ...(endedAtMs !== undefined && { endedAtMs }),
    isConfirmed: data.state === 'resolved' || presenceOf(fleet, prober?.heardAtMs, nowMs) === 'heard',
  };
}

function componentRows(fleet: Fleet, nowMs: number): Record<string, ComponentRow> {
  const rows: Record<string, ComponentRow> = {};
  const add = (
    { kind, id, ...own }: Omit<ComponentRow, 'presence' | 'version'>,
    { heartbeat, heardAtMs }: HeardSender<ProberPresence | DashboardPresence>,
  ) => {
    if (nowMs - heardAtMs > FORGET_MS) return;
    const presence = presenceOf(fleet, heardAtMs, nowMs);
    const { version } = heartbeat;
    rows[`${kind}.${id}`] = { kind, id, presence, ...seen(presence, heardAtMs), version, ...own };
  };
  for (const [id, sender] of fleet.probers) {
    const { leading, targets } = sender.heartbeat;
    add({ kind: 'prober', id, isLeading: leading, targets }, sender);
  }
  for (const [id, sender] of fleet.dashboards) {
    add({ kind: 'dashboard', id, viewers: sender.heartbeat.viewers }, sender);
  }
  return rows;
}

/** While a component is heard the instant of its last heartbeat is of no interest, and would change every 2 s. */
function seen(presence: Presence, heardAtMs: number): { heardAtMs?: number } {
  return presence === 'heard' ? {} : { heardAtMs: Math.round(heardAtMs) };
}

function fresh<Sample>(sampled: Sampled<Sample> | undefined, nowMs: number): Sample | undefined {
  return sampled !== undefined && nowMs <= freshUntilMs(sampled) ? sampled.sample : undefined;
}

function freshUntilMs({ sampledAtMs, intervalMs }: Sampled<unknown>): number {
  return sampledAtMs + Math.max(intervalMs, PRESENCE_INTERVAL_MS) * SAMPLE_LIVES_INTERVALS;
}

/**
 * A sender's own timestamp on our monotonic clock, by way of its heartbeats, which carry the same clock. Unknown until it has
 * been heard once.
 */
function ownTime(sender: HeardSender<unknown> | undefined, timestamp: string | undefined): number | undefined {
  if (sender === undefined || timestamp === undefined) return undefined;
  return Math.round(Date.parse(timestamp) - sender.wallMinusMonotonicMs);
}

function roundRatio(ratio: number): number {
  return Math.round(ratio * 1_000) / 1_000;
}
