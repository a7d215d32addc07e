import type { InstanceEvent, InstanceStateName, InstanceStatus, Verdict } from '@muster/contracts';

/** What could be learned about the fleet at one moment, and from whom. */
export interface FleetReading {
  readonly source: 'bus' | 'file';
  /** RFC 3339: when it was true. */
  readonly asOf: string;
  readonly hosts: readonly HostReading[];
  readonly instances: readonly InstanceReading[];
}

export interface HostReading {
  readonly host: string;
  /** Its agent has answered just now. */
  readonly isAlive: boolean;
  /** Why not, when it hasn't. */
  readonly problem?: string;
  /** RFC 3339 by the host's clock: its newest word. */
  readonly lastHeardAt?: string;
  readonly instances: number;
}

export interface InstanceReading {
  /** As last reported; says nothing about now unless `isAlive`. */
  readonly status: InstanceStatus;
  readonly isAlive: boolean;
  readonly health?: Verdict;
}

/** What may be said about now: nothing, when the host is not heard. */
export function stateNow({ status, isAlive }: InstanceReading): InstanceStateName {
  return isAlive ? status.state : 'unknown';
}

/** The verdict, unless it was about another run. */
export function healthNow({ status, isAlive, health }: InstanceReading): Verdict['verdict'] | undefined {
  if (!isAlive || health === undefined) return undefined;
  return health.generation === status.generation || health.generation === 0 ? health.verdict : 'unknown';
}

/** The chain behind one instance's state. */
export interface WhyReading {
  readonly source: 'bus' | 'file';
  readonly asOf: string;
  readonly instance: InstanceReading;
  /** Oldest first. */
  readonly events: readonly InstanceEvent[];
}

/** People first: by host, Muster's own services after the others. */
export function byPlace(a: InstanceReading, b: InstanceReading): number {
  return (
    compareText(a.status.host, b.status.host) ||
    Number(a.status.system) - Number(b.status.system) ||
    compareText(a.status.service, b.status.service) ||
    a.status.instance - b.status.instance
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
