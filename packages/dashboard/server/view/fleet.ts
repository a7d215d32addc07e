import type {
  AgentPresence,
  AlertEvent,
  DashboardPresence,
  FleetBucket,
  FleetChange,
  Heard,
  HostMetrics,
  HostSample,
  InstanceStatus,
  ProbeReport,
  ProberPresence,
  ServiceSample,
  ServiceSpecEntry,
  Verdict,
} from '@muster/contracts';

/** One thing that this dashboard learned. */
export type Fact =
  | FleetChange
  | { readonly kind: 'bus'; readonly isConnected: boolean; readonly reason: string }
  | { readonly kind: 'metrics'; readonly metrics: HostMetrics }
  | { readonly kind: 'probe'; readonly report: ProbeReport };

/** A sender's last heartbeat. All `…AtMs` are this process's monotonic clock. */
export interface HeardSender<Heartbeat> extends Heard<Heartbeat> {
  /** The sender's wall clock minus our monotonic one: turns the sender's own timestamps into ours. */
  readonly wallMinusMonotonicMs: number;
}

export interface Sampled<Sample> {
  readonly sample: Sample;
  readonly sampledAtMs: number;
  readonly intervalMs: number;
}

export interface Latency {
  /** From whom the series comes: a prober's view is preferred to the agent's own. */
  readonly vantage: 'prober' | 'agent';
  readonly probedAtMs: number;
  /** Oldest first; null is a probe that failed. */
  readonly historyMs: readonly (number | null)[];
}

export interface HostFacts {
  readonly presence?: HeardSender<AgentPresence>;
  readonly sample?: Sampled<HostSample>;
  /** By service. */
  readonly specs: ReadonlyMap<string, ServiceSpecEntry>;
  /** By `<service>.<instance>`, as the next four. */
  readonly statuses: ReadonlyMap<string, InstanceStatus>;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly samples: ReadonlyMap<string, Sampled<ServiceSample>>;
  readonly latencies: ReadonlyMap<string, Latency>;
  /** By bucket: entries that were not taken. */
  readonly excess?: ReadonlyMap<FleetBucket, number>;
}

/**
 * All that this dashboard knows. Facts only: what may be shown of them, and how old it is, `render` decides. What a host's
 * facts hold is never changed, only replaced: who compares them with those of before sees whether anything happened.
 */
export interface Fleet {
  readonly bus: { readonly isConnected: boolean; readonly sinceAtMs: number; readonly reason: string };
  /** Since this process last overslept. */
  readonly awakeSinceMs: number;
  readonly hosts: ReadonlyMap<string, HostFacts>;
  readonly alerts: ReadonlyMap<string, AlertEvent>;
  readonly probers: ReadonlyMap<string, HeardSender<ProberPresence>>;
  readonly dashboards: ReadonlyMap<string, HeardSender<DashboardPresence>>;
  /** Buckets that have been listed on this connection. */
  readonly listed: ReadonlySet<FleetBucket>;
}

/** The same to its one owner. It is not copied for each message: that would cost more than the message, by the host. */
export interface OwnedFleet extends Fleet {
  bus: Fleet['bus'];
  awakeSinceMs: number;
  readonly hosts: Map<string, HostFacts>;
  readonly alerts: Map<string, AlertEvent>;
  readonly probers: Map<string, HeardSender<ProberPresence>>;
  readonly dashboards: Map<string, HeardSender<DashboardPresence>>;
  readonly listed: Set<FleetBucket>;
}

export const NO_HOST_FACTS: HostFacts = {
  specs: new Map(),
  statuses: new Map(),
  verdicts: new Map(),
  samples: new Map(),
  latencies: new Map(),
};

/** Before the first connection. */
export function emptyFleet(nowMs: number): OwnedFleet {
  return {
    bus: { isConnected: false, sinceAtMs: nowMs, reason: 'connecting for the first time' },
    awakeSinceMs: nowMs,
    hosts: new Map(),
    alerts: new Map(),
    probers: new Map(),
    dashboards: new Map(),
    listed: new Set(),
  };
}
