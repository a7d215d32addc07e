import {
  byPlace,
  type FleetReading,
  type HostReading,
  healthNow,
  type InstanceReading,
  stateNow,
} from '../fleet/reading.ts';
import type { Paint } from './paint.ts';
import { stateCell, verdictCell } from './state.ts';
import { type Cell, type Column, renderTable } from './table.ts';
import { ageOf, formatAge } from './time.ts';

const HOST_COLUMNS: readonly Column[] = [
  { title: 'HOST' },
  { title: 'STATE' },
  { title: 'INSTANCES', align: 'right' },
  { title: 'LAST HEARD', align: 'right' },
  { title: 'REASON' },
];

const INSTANCE_COLUMNS: readonly Column[] = [
  { title: 'HOST' },
  { title: 'SERVICE' },
  { title: 'STATE' },
  { title: 'READY' },
  { title: 'HEALTH' },
  { title: 'AGE', align: 'right' },
  { title: 'RESTARTS', align: 'right' },
  { title: 'PID', align: 'right' },
  { title: 'REASON' },
];

/** Both tables of `muster status`. `nowMs` is unix time. */
export function renderStatus({ hosts, instances }: FleetReading, nowMs: number, paint: Paint): string[] {
  if (hosts.length === 0) return ['no host has told the bus about itself yet'];
  const hostRows = hosts.map((host) => hostRow(host, nowMs));
  const rows = [...instances]
    .sort(byPlace)
    .map((instance) => instanceRow(instance, isNumbered(instance, instances), nowMs));
  return [
    ...renderTable(HOST_COLUMNS, hostRows, paint),
    '',
    ...(rows.length === 0 ? ['no services'] : renderTable(INSTANCE_COLUMNS, rows, paint)),
  ];
}

function hostRow({ host, isAlive, problem, lastHeardAt, instances }: HostReading, nowMs: number): Cell[] {
  return [
    host,
    isAlive ? { text: '● up', tone: 'good' } : stateCell('unknown'),
    String(instances),
    isAlive ? 'now' : ageCell(lastHeardAt, nowMs),
    problem ?? '',
  ];
}

function instanceRow(reading: InstanceReading, isNumbered: boolean, nowMs: number): Cell[] {
  const { status, isAlive } = reading;
  const state = stateNow(reading);
  return [
    status.host,
    isNumbered ? `${status.service}.${status.instance}` : status.service,
    stateCell(state),
    isAlive && state === 'running' ? readyCell(status.ready) : { text: '-', tone: 'dim' },
    verdictCell(healthNow(reading)),
    // Of what is not heard, the age is that of the last word about it.
    ageCell(isAlive ? status.changedAt : status.time, nowMs),
    `${status.restarts}/${status.restartBudget}`,
    isAlive && status.pid !== undefined ? String(status.pid) : { text: '-', tone: 'dim' },
    isAlive ? status.reason : `last known: ${status.state}, ${status.reason}`,
  ];
}

function readyCell(ready: 'yes' | 'no' | 'unknown'): Cell {
  return { text: ready, tone: ready === 'yes' ? 'good' : ready === 'no' ? 'bad' : 'dim' };
}

function ageCell(at: string | undefined, nowMs: number): Cell {
  const ageMs = at === undefined ? undefined : ageOf(at, nowMs);
  return ageMs === undefined ? { text: '-', tone: 'dim' } : formatAge(ageMs);
}

function isNumbered({ status }: InstanceReading, all: readonly InstanceReading[]): boolean {
  return (
    status.instance > 0 ||
    all.some(
      (other) =>
        other.status.host === status.host && other.status.service === status.service && other.status.instance > 0,
    )
  );
}

/** `muster status --json`: one document. */
export function statusJson({ source, asOf, hosts, instances }: FleetReading, nowMs: number): unknown {
  return {
    source,
    asOf,
    hosts,
    instances: [...instances].sort(byPlace).map((reading) => {
      const { status, isAlive } = reading;
      const ageMs = ageOf(isAlive ? status.changedAt : status.time, nowMs);
      return {
        ...status,
        state: stateNow(reading),
        ready: isAlive ? status.ready : 'unknown',
        health: healthNow(reading) ?? 'unknown',
        ...(ageMs !== undefined && { ageMs: Math.max(0, ageMs) }),
        ...(!isAlive && { lastKnownState: status.state }),
      };
    }),
  };
}
