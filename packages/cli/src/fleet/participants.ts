import type { InstanceStatus } from '@muster/contracts';
import type { FleetClient, Presence } from '@muster/contracts/client';
import { problemOf } from './agents.ts';
import { newestTime } from './read-fleet.ts';

/** A host's agent, a prober or a dashboard: who takes part in the fleet, and how it stands. */
export interface Participant {
  readonly kind: 'host' | 'prober' | 'dashboard';
  readonly id: string;
  /** `unknown`: no heartbeat lately. Whatever else is said of it is of the past. */
  readonly state: 'heard' | 'unknown';
  /** Since its last heartbeat or, when none was heard here, since its last word in the streams, by its own clock. */
  readonly ageMs?: number;
  readonly version?: string;
  readonly uptimeSeconds?: number;
  /** Of a host. */
  readonly services?: number;
  /** Events that wait on the agent's disk for the bus. */
  readonly backlog?: number;
  /** How far its wall clock is ahead of ours. */
  readonly clockSkewMs?: number;
  /** Through the bus to its agent and back. */
  readonly roundTripMs?: number;
  /** What else is to be said. */
  readonly note?: string;
}

/** Everybody who is heard, and every host and prober that the bus remembers. `nowMs` is unix time. */
export async function readParticipants(
  fleet: FleetClient,
  nowMs: number,
  signal: AbortSignal,
): Promise<readonly Participant[]> {
  const { hosts, probers, dashboards, status } = fleet.snapshot();
  const [told, knownProbers] = await Promise.all([fleet.lastHostEvents(signal), fleet.knownProbers(signal)]);
  const hostIds = new Set([...hosts.map(({ host }) => host), ...told.keys()]);
  const proberIds = new Set([...probers.map(({ prober }) => prober), ...knownProbers]);
  const byHost = await Promise.all(
    [...hostIds].sort().map((host) => {
      const known = [...status.values()].filter((instance) => instance.host === host);
      return readHost(fleet, host, known, newestTime([...known, told.get(host)]), nowMs, signal);
    }),
  );
  return [
    ...byHost,
    ...[...proberIds].sort().map((id): Participant => {
      const standing = probers.find(({ prober }) => prober === id);
      const note =
        standing?.heartbeat && `${standing.heartbeat.targets} targets${standing.heartbeat.leading ? ', judges' : ''}`;
      return { kind: 'prober', id, ...standingOf(standing), ...(note !== undefined && { note }) };
    }),
    ...dashboards.map((standing): Participant => {
      const note = standing.heartbeat && `${standing.heartbeat.viewers} viewers`;
      return {
        kind: 'dashboard',
        id: standing.dashboard,
        ...standingOf(standing),
        ...(note !== undefined && { note }),
      };
    }),
  ];
}

async function readHost(
  fleet: FleetClient,
  host: string,
  known: readonly InstanceStatus[],
  lastWordAt: string | undefined,
  nowMs: number,
  signal: AbortSignal,
): Promise<Participant> {
  const standing = fleet.host(host);
  const { heartbeat, isAlive } = standing;
  const { result, roundTripMs, clockSkewMs } = await fleet.measure(host, signal);
  return {
    kind: 'host',
    id: host,
    ...(lastWordAt !== undefined && { ageMs: Math.max(0, nowMs - Date.parse(lastWordAt)) }),
    ...standingOf(standing),
    services: isAlive && heartbeat !== undefined ? heartbeat.services : known.length,
    ...(heartbeat !== undefined && { backlog: heartbeat.backlog }),
    ...(clockSkewMs !== undefined && { clockSkewMs: Math.round(clockSkewMs) }),
    ...(roundTripMs !== undefined && { roundTripMs: Math.round(roundTripMs * 10) / 10 }),
    ...(result.outcome !== 'accepted' && { note: problemOf(result) }),
  };
}

/** What a heartbeat tells of any sender. */
function standingOf(
  standing: Presence<{ readonly version: string; readonly uptimeSeconds: number }> | undefined,
): Omit<Participant, 'kind' | 'id'> {
  const { isAlive = false, ageMs, heartbeat, clockSkewMs } = standing ?? {};
  return {
    state: isAlive ? 'heard' : 'unknown',
    ...(ageMs !== undefined && { ageMs: Math.round(ageMs) }),
    ...(heartbeat !== undefined && { version: heartbeat.version, uptimeSeconds: Math.round(heartbeat.uptimeSeconds) }),
    ...(clockSkewMs !== undefined && { clockSkewMs: Math.round(clockSkewMs) }),
  };
}
