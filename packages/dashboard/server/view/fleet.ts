import type {
  AgentPresence,
  AlertEvent,
  DashboardPresence,
  HostMetrics,
  HostSample,
  InstanceStatus,
  Position,
  ProbeReport,
  ProberPresence,
  ServiceSample,
  ServiceSpecEntry,
  Verdict,
} from '@muster/contracts';

/** The buckets a dashboard follows. */
export const FOLLOWED_BUCKETS = ['specs', 'status', 'health', 'alerts'] as const;
export type FollowedBucket = (typeof FOLLOWED_BUCKETS)[number];

/** What each bucket holds under its keys. */
export interface BucketValues {
  readonly specs: ServiceSpecEntry;
  readonly status: InstanceStatus;
  readonly health: Verdict;
  readonly alerts: AlertEvent;
}

type BucketFact = {
  [B in FollowedBucket]:
    | { readonly kind: 'listed'; readonly bucket: B; readonly entries: ReadonlyMap<string, BucketValues[B]> }
    | { readonly kind: 'entry'; readonly bucket: B; readonly key: string; readonly value: BucketValues[B] | undefined };
}[FollowedBucket];

/**
 * One thing that this dashboard learned. `listed` is all that a bucket holds, whatever was known of it before; `entry` is
 * one change, a deletion when `value` is undefined.
 */
export type Fact =
  | { readonly kind: 'bus'; readonly isConnected: boolean; readonly reason: string }
  | BucketFact
  /** The host has more entries than are taken of one: so many times one was not. */
  | { readonly kind: 'excess'; readonly bucket: FollowedBucket; readonly host: string; readonly notTaken: number }
  | { readonly kind: 'host-presence'; readonly heartbeat: AgentPresence }
  /** It was taken away: nothing of it is stored any more. */
  | { readonly kind: 'host-forgotten'; readonly host: string }
  | { readonly kind: 'prober-presence'; readonly heartbeat: ProberPresence }
  | { readonly kind: 'dashboard-presence'; readonly heartbeat: DashboardPresence }
  | { readonly kind: 'metrics'; readonly metrics: HostMetrics }
  | { readonly kind: 'probe'; readonly report: ProbeReport };

/** A sender's last heartbeat. All `…AtMs` are this process's monotonic clock. */
export interface Heard<Heartbeat> {
  readonly heartbeat: Heartbeat;
  readonly heardAtMs: number;
  /** The sender's wall clock minus our monotonic one: turns the sender's own timestamps into ours. */
  readonly wallMinusMonotonicMs: number;
  /** The newest of those that came since and stand before it, and how many they are. */
  readonly behind?: { readonly position: Position; readonly heartbeats: number };
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
  readonly presence?: Heard<AgentPresence>;
  readonly sample?: Sampled<HostSample>;
  /** By service. */
  readonly specs: ReadonlyMap<string, ServiceSpecEntry>;
  /** By `<service>.<instance>`, as the next four. */
  readonly statuses: ReadonlyMap<string, InstanceStatus>;
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly samples: ReadonlyMap<string, Sampled<ServiceSample>>;
  readonly latencies: ReadonlyMap<string, Latency>;
  /** By bucket: entries that were not taken. */
  readonly excess?: ReadonlyMap<FollowedBucket, number>;
}

/**
 * All that this dashboard knows. Facts only: what may be shown of them, and how old it is, `render` decides. What a host's
 * facts hold is never changed, only replaced: who compares them with those of before sees whether anything happened.
 */
export interface Fleet {
  readonly bus: { readonly isConnected: boolean; readonly sinceAtMs: number; readonly reason: string };
  readonly hosts: ReadonlyMap<string, HostFacts>;
  readonly alerts: ReadonlyMap<string, AlertEvent>;
  readonly probers: ReadonlyMap<string, Heard<ProberPresence>>;
  readonly dashboards: ReadonlyMap<string, Heard<DashboardPresence>>;
  /** Buckets that have been listed on this connection. */
  readonly listed: ReadonlySet<FollowedBucket>;
}

/** The same to its one owner. It is not copied for each message: that would cost more than the message, by the host. */
export interface OwnedFleet extends Fleet {
  bus: Fleet['bus'];
  readonly hosts: Map<string, HostFacts>;
  readonly alerts: Map<string, AlertEvent>;
  readonly probers: Map<string, Heard<ProberPresence>>;
  readonly dashboards: Map<string, Heard<DashboardPresence>>;
  readonly listed: Set<FollowedBucket>;
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
    hosts: new Map(),
    alerts: new Map(),
    probers: new Map(),
    dashboards: new Map(),
    listed: new Set(),
  };
}
