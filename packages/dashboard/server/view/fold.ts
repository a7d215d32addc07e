import {
  type FleetBucket,
  type HostMetrics,
  hear,
  type InstanceStatus,
  MAX_INSTANCES_PER_HOST,
  type Position,
  type ProbeReport,
} from '@muster/contracts';
import { type Fact, type HeardSender, type HostFacts, type Latency, NO_HOST_FACTS, type OwnedFleet } from './fleet.ts';

/** As many as the sparkline shows. */
export const LATENCY_POINTS = 40;

/** A sender's clock is taken anew when it moved by more than this: less is the network's jitter, and would move every age. */
const CLOCK_TOLERANCE_MS = 1_000;

/**
 * One fact more, in place: it costs what it changes, however many hosts there are. Nothing else is read or changed: `nowMs`
 * is this process's monotonic clock.
 */
export function fold(fleet: OwnedFleet, fact: Fact, nowMs: number): void {
  switch (fact.kind) {
    case 'bus':
      fleet.bus = { isConnected: fact.isConnected, sinceAtMs: nowMs, reason: fact.reason };
      // What the buckets hold now is not known until they are listed again: they may have been lost meanwhile.
      if (!fact.isConnected) fleet.listed.clear();
      return;
    case 'overslept':
      fleet.awakeSinceMs = nowMs;
      return;
    case 'listed':
      foldListing(fleet, fact);
      fleet.listed.add(fact.bucket);
      return;
    case 'entry':
      foldEntry(fleet, fact);
      return;
    case 'excess':
      changeHost(fleet, fact.host, (facts) => ({
        ...facts,
        excess: withEntry(facts.excess ?? new Map<FleetBucket, number>(), fact.bucket, fact.notTaken),
      }));
      return;
    case 'host-presence':
      changeHost(fleet, fact.heartbeat.host, (facts) => ({
        ...facts,
        presence: heard(facts.presence, fact.heartbeat, nowMs),
      }));
      return;
    case 'host-forgotten':
      fleet.hosts.delete(fact.host);
      return;
    case 'prober-presence': {
      const id = fact.heartbeat.prober;
      fleet.probers.set(id, heard(fleet.probers.get(id), fact.heartbeat, nowMs));
      return;
    }
    case 'dashboard-presence': {
      const id = fact.heartbeat.dashboard;
      fleet.dashboards.set(id, heard(fleet.dashboards.get(id), fact.heartbeat, nowMs));
      return;
    }
    case 'metrics':
      changeHost(fleet, fact.metrics.host, (facts) => foldMetrics(facts, fact.metrics, nowMs));
      return;
    case 'probe':
      changeHost(fleet, fact.report.host, (facts) => foldProbe(facts, fact.report, nowMs));
  }
}

type Listing = Extract<Fact, { kind: 'listed' }>;

/** A listing replaces the bucket as a whole, so what vanished while nobody looked vanishes here too. */
function foldListing(fleet: OwnedFleet, fact: Listing): void {
  switch (fact.bucket) {
    case 'alerts':
      fleet.alerts.clear();
      for (const [key, event] of fact.entries) fleet.alerts.set(key, event);
      return;
    case 'specs':
      changeEachHost(fleet, byHost(fact.entries, specKey), (facts, specs) => ({ ...facts, specs }));
      return;
    case 'health':
      changeEachHost(fleet, byHost(fact.entries, instanceKey), (facts, verdicts) => ({ ...facts, verdicts }));
      return;
    case 'status':
      changeEachHost(fleet, byHost(fact.entries, instanceKey), (facts, statuses) => ({
        ...facts,
        statuses,
        samples: only(facts.samples, statuses),
        latencies: only(facts.latencies, statuses),
      }));
  }
}

const specKey = (service: string) => service;
const instanceKey = (service: string, instance: string) => `${service}.${instance}`;

/** `<host>.<service>.<instance>` as a map of maps. Other keys are a newer writer's, and none of ours. */
function byHost<V>(
  entries: ReadonlyMap<string, V>,
  keyOf: (service: string, instance: string) => string,
): Map<string, Map<string, V>> {
  const hosts = new Map<string, Map<string, V>>();
  for (const [key, value] of entries) {
    const [host, service, instance] = key.split('.');
    if (host === undefined || service === undefined || instance === undefined) continue;
    let own = hosts.get(host);
    if (own === undefined) hosts.set(host, (own = new Map()));
    own.set(keyOf(service, instance), value);
  }
  return hosts;
}

function changeEachHost<V>(
  fleet: OwnedFleet,
  listed: ReadonlyMap<string, ReadonlyMap<string, V>>,
  change: (facts: HostFacts, own: ReadonlyMap<string, V>) => HostFacts,
): void {
  for (const host of new Set([...fleet.hosts.keys(), ...listed.keys()])) {
    changeHost(fleet, host, (facts) => change(facts, listed.get(host) ?? new Map()));
  }
}

function only<V>(map: ReadonlyMap<string, V>, keys: ReadonlyMap<string, unknown>): ReadonlyMap<string, V> {
  return new Map([...map].filter(([key]) => keys.has(key)));
}

function foldEntry(fleet: OwnedFleet, fact: Extract<Fact, { kind: 'entry' }>): void {
  if (fact.bucket === 'alerts') {
    if (fact.value === undefined) fleet.alerts.delete(fact.key);
    else fleet.alerts.set(fact.key, fact.value);
    return;
  }
  const [host, service, instance] = fact.key.split('.');
  if (host === undefined || service === undefined || instance === undefined) return;
  changeHost(fleet, host, (facts) => {
    switch (fact.bucket) {
      case 'specs':
        return { ...facts, specs: replaced(facts.specs, service, fact.value) };
      case 'status':
        return foldStatus(facts, instanceKey(service, instance), fact.value);
      case 'health':
        return { ...facts, verdicts: replaced(facts.verdicts, instanceKey(service, instance), fact.value) };
    }
  });
}

/** What goes with an instance goes when it goes: another one of the same name starts with a blank sheet. */
function foldStatus(facts: HostFacts, key: string, status: InstanceStatus | undefined): HostFacts {
  const statuses = replaced(facts.statuses, key, status);
  if (status !== undefined) return { ...facts, statuses };
  return { ...facts, statuses, samples: without(facts.samples, key), latencies: without(facts.latencies, key) };
}

function foldMetrics(facts: HostFacts, metrics: HostMetrics, nowMs: number): HostFacts {
  const { intervalMs } = metrics;
  const samples = new Map(facts.samples);
  for (const sample of metrics.services) {
    const key = `${sample.service}.${sample.instance}`;
    if (hasRoom(samples, key)) samples.set(key, { sample, sampledAtMs: nowMs, intervalMs });
  }
  if (metrics.sample === undefined) return { ...facts, samples };
  return { ...facts, samples, sample: { sample: metrics.sample, sampledAtMs: nowMs, intervalMs } };
}

/** The agent's own probes fill the series only where no prober measures: two vantages in one line would be a lie. */
function foldProbe(facts: HostFacts, report: ProbeReport, nowMs: number): HostFacts {
  if (report.status === 'skipped' || report.status === 'unknown') return facts;
  const key = `${report.service}.${report.instance}`;
  const vantage = report.vantage.kind === 'prober' ? 'prober' : 'agent';
  const last = facts.latencies.get(key);
  if (last?.vantage === 'prober' && vantage === 'agent' && nowMs - last.probedAtMs < PROBER_SERIES_MS) return facts;
  const value = report.status === 'down' ? null : Math.round(report.durationMs * 10) / 10;
  const history = last?.vantage === vantage ? last.historyMs : [];
  const latency: Latency = {
    vantage,
    probedAtMs: nowMs,
    historyMs: [...history, value].slice(-LATENCY_POINTS),
  };
  if (!hasRoom(facts.latencies, key)) return facts;
  return { ...facts, latencies: withEntry(facts.latencies, key, latency) };
}

/** What no bucket has to hold may be said of anything: of one host so much is kept. */
function hasRoom(map: ReadonlyMap<string, unknown>, key: string): boolean {
  return map.size < MAX_INSTANCES_PER_HOST || map.has(key);
}

/** After so long without a prober's result the agent's own results take over. */
const PROBER_SERIES_MS = 180_000;

/** One heartbeat more, with what it says of its sender's clock. */
function heard<Heartbeat extends Position & { readonly time: string }>(
  last: HeardSender<Heartbeat> | undefined,
  heartbeat: Heartbeat,
  nowMs: number,
): HeardSender<Heartbeat> {
  const next = hear(last, heartbeat, nowMs);
  if (last !== undefined && next.heartbeat !== heartbeat) return { ...last, ...next };
  const offsetMs = Date.parse(heartbeat.time) - nowMs;
  const isSteady = last !== undefined && Math.abs(offsetMs - last.wallMinusMonotonicMs) <= CLOCK_TOLERANCE_MS;
  return { heartbeat, heardAtMs: nowMs, wallMinusMonotonicMs: isSteady ? last.wallMinusMonotonicMs : offsetMs };
}

function changeHost(fleet: OwnedFleet, host: string, change: (facts: HostFacts) => HostFacts): void {
  const before = fleet.hosts.get(host) ?? NO_HOST_FACTS;
  const after = change(before);
  if (after !== before) fleet.hosts.set(host, after);
}

function withEntry<K, V>(map: ReadonlyMap<K, V>, key: K, value: V): ReadonlyMap<K, V> {
  return new Map(map).set(key, value);
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const rest = new Map(map);
  rest.delete(key);
  return rest;
}

function replaced<V>(map: ReadonlyMap<string, V>, key: string, value: V | undefined): ReadonlyMap<string, V> {
  return value === undefined ? without(map, key) : withEntry(map, key, value);
}
