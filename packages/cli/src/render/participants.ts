import { printable } from '@muster/contracts';
import type { Participant } from '../fleet/participants.ts';
import type { Paint } from './paint.ts';
import { stateCell } from './state.ts';
import { type Cell, type Column, renderTable } from './table.ts';
import { formatAge, formatSpan } from './time.ts';

const COLUMNS: readonly Column[] = [
  { title: 'KIND' },
  { title: 'ID' },
  { title: 'STATE' },
  { title: 'AGE', align: 'right' },
  { title: 'VERSION' },
  { title: 'UPTIME', align: 'right' },
  { title: 'SERVICES', align: 'right' },
  { title: 'BACKLOG', align: 'right' },
  { title: 'SKEW', align: 'right' },
  { title: 'ROUND TRIP', align: 'right' },
  { title: 'NOTE' },
];

/** A clock that is off by more is worth a look; nothing depends on it. */
const SKEW_WARNING_MS = 5_000;
const NOTHING: Cell = { text: '-', tone: 'dim' };

/** The table of `muster hosts`. */
export function renderParticipants(participants: readonly Participant[], paint: Paint): string[] {
  if (participants.length === 0) return ['nobody is heard, and nobody has told the bus about itself yet'];
  return renderTable(COLUMNS, participants.map(rowOf), paint);
}

function rowOf(participant: Participant): Cell[] {
  const { kind, id, state, ageMs, version, uptimeSeconds, services, backlog, clockSkewMs, roundTripMs, note } =
    participant;
  return [
    kind,
    id,
    state === 'heard' ? { text: '● heard', tone: 'good' } : stateCell('unknown'),
    ageMs === undefined ? NOTHING : formatAge(ageMs),
    version ?? NOTHING,
    uptimeSeconds === undefined ? NOTHING : formatAge(uptimeSeconds * 1_000),
    services === undefined ? NOTHING : String(services),
    backlog === undefined ? NOTHING : backlog > 0 ? { text: String(backlog), tone: 'warn' } : '0',
    clockSkewMs === undefined ? NOTHING : skewCell(clockSkewMs),
    roundTripMs === undefined ? NOTHING : `${roundTripMs} ms`,
    note ?? '',
  ];
}

/** `+3 ms` is ahead of this machine's clock. */
function skewCell(skewMs: number): Cell {
  const size = Math.abs(skewMs);
  const text = `${skewMs < 0 ? '-' : '+'}${size < 1_000 ? `${size} ms` : formatSpan(size)}`;
  return size > SKEW_WARNING_MS ? { text, tone: 'warn' } : text;
}

/** One line for each change of `muster hosts -f`. */
export function renderStandingChange({ kind, id, state, ageMs }: Participant, time: string, paint: Paint): string {
  const isAlive = state === 'heard';
  const age = ageMs === undefined ? '' : `, last heartbeat ${formatSpan(ageMs)} ago`;
  return `${paint('dim', printable(time))}  ${kind} ${printable(id)}  ${isAlive ? paint('good', 'heard') : paint('warn', `unknown${age}`)}`;
}
