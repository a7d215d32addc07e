/**
 * What travels between this server and its page: plain data, no Node and no browser in sight.
 *
 * Instants are `…AtMs` on the server's monotonic clock. Each frame carries the same clock's `nowMs`, so a reader subtracts
 * and gets an age; no wall clock is compared with another. A field that is not known is absent, never null: null means
 * "gone" in a patch.
 */
import type {
  AlertState,
  InstanceStateName,
  PresenceState,
  Readiness,
  ServiceType,
  Severity,
  VerdictName,
} from '@muster/contracts';

/** Grows when an old page could no longer read what a new server sends. */
export const PAGE_PROTOCOL_VERSION = 1;

export type Presence = PresenceState;

/** How a thing is doing, at a glance: what colour and order follow. */
export type RowStatus = 'bad' | 'unknown' | 'warn' | 'busy' | 'good' | 'idle';

/** What the page can ask of an instance. */
export const ACTIONS = ['start', 'stop', 'restart'] as const;
export type Action = (typeof ACTIONS)[number];

export interface HealthView {
  /** `unknown` while no prober confirms it. */
  readonly verdict: VerdictName;
  readonly hardness: 'soft' | 'hard';
  readonly reason: string;
  readonly changedAtMs?: number;
}

/** One instance of a service, as it may be shown. */
export interface ServiceRow {
  readonly host: string;
  readonly service: string;
  readonly instance: number;
  readonly type: ServiceType;
  /** One of Muster's own services. */
  readonly isSystem: boolean;
  readonly isJob: boolean;
  readonly status: RowStatus;
  /** `unknown` unless its host is heard. */
  readonly state: InstanceStateName;
  /** What its agent said last; not a claim about now. */
  readonly lastState: InstanceStateName;
  readonly isConfirmed: boolean;
  /** When its host was last heard; only while unconfirmed, and absent when it never was. */
  readonly lastHeardAtMs?: number;
  readonly ready: Readiness;
  readonly desired: 'up' | 'down';
  readonly reason: string;
  /** When the last known state was entered; absent until the host's clock is known. */
  readonly enteredAtMs?: number;
  readonly health?: HealthView;
  readonly restarts: number;
  readonly restartBudget: number;
  readonly pid?: number;
  readonly port?: number;
  /** Cores in use: 1 is one core. */
  readonly cpuRatio?: number;
  readonly rssBytes?: number;
  readonly latencyMs?: number;
  /** Oldest first; null is a probe that failed. */
  readonly latencyHistory?: readonly (number | null)[];
  /** What may be asked now. */
  readonly actions: readonly Action[];
  /** Why nothing may be asked. */
  readonly actionsRefusal?: string;
}

export interface HostRow {
  readonly host: string;
  readonly status: RowStatus;
  readonly presence: Presence;
  readonly heardAtMs?: number;
  readonly agentVersion?: string;
  readonly services: number;
  /** Entries that are missing here, for the host has more than are taken of one. */
  readonly notShown?: number;
  /** Events that wait on the agent's disk for the bus. */
  readonly backlog?: number;
  readonly uptimeSeconds?: number;
  /** Busy share of all cores together, 0 to 1. */
  readonly cpuRatio?: number;
  readonly cores?: number;
  readonly load1?: number;
  readonly memoryUsedBytes?: number;
  readonly memoryTotalBytes?: number;
}

export interface AlertRow {
  readonly fingerprint: string;
  readonly state: AlertState;
  readonly severity: Severity;
  readonly host: string;
  /** Absent for an alert about the host itself. */
  readonly service?: string;
  readonly rule: string;
  readonly summary: string;
  readonly reason: string;
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
  /** False while no prober is heard: it may be over, or worse. */
  readonly isConfirmed: boolean;
}

/** A prober or a dashboard. */
export interface ComponentRow {
  readonly kind: 'prober' | 'dashboard';
  readonly id: string;
  readonly presence: Presence;
  readonly heardAtMs?: number;
  readonly version: string;
  /** Probers only. */
  readonly isLeading?: boolean;
  readonly targets?: number;
  /** Dashboards only. */
  readonly viewers?: number;
}

interface BusView {
  readonly isConnected: boolean;
  readonly sinceAtMs: number;
  readonly reason: string;
}

/** How the fleet is, in words. */
export interface FleetView {
  readonly environment: string;
  readonly dashboard: string;
  readonly status: RowStatus;
  readonly headline: string;
  readonly detail: string;
  readonly bus: BusView;
  /** False until the stored state has been read once. */
  readonly isComplete: boolean;
}

/** Everything the page shows. */
export interface PageData {
  readonly fleet: FleetView;
  readonly hosts: Readonly<Record<string, HostRow>>;
  /** By `<host>.<service>.<instance>`. */
  readonly services: Readonly<Record<string, ServiceRow>>;
  readonly alerts: Readonly<Record<string, AlertRow>>;
  readonly components: Readonly<Record<string, ComponentRow>>;
}

/** One step of an instance's history. */
export interface WhyStep {
  readonly id: string;
  /** By the agent's own clock on both ends; absent when that clock is not known. */
  readonly ageMs?: number;
  readonly time: string;
  readonly from: InstanceStateName;
  readonly to: InstanceStateName;
  readonly reason: string;
  readonly causes: readonly string[];
  readonly generation: number;
  readonly exit?: string;
}

export interface WhyAnswer {
  /** Who told it: the agent itself, or the stored events when the agent doesn't answer. */
  readonly from: 'agent' | 'stream';
  /** Newest first. */
  readonly steps: readonly WhyStep[];
}

/** An accepted command; its outcome shows as a change of state that names `commandId` among its causes. */
export interface CommandAccepted {
  readonly outcome: 'accepted';
  readonly commandId: string;
  readonly code: string;
  readonly reason: string;
}

/** The one shape of every error answer. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    /** Commands only: refused by the agent, never delivered, or sent with no answer. */
    readonly outcome?: 'refused' | 'undelivered' | 'unknown';
    readonly commandId?: string;
  };
}
