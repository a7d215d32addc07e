import { type AlertEvent, type AlertState, NONE, printable, type Severity } from '@muster/contracts';
import type { Paint, Tone } from './paint.ts';
import { type Column, renderTable } from './table.ts';
import { ageOf, formatAge, formatInstant } from './time.ts';

const COLUMNS: readonly Column[] = [
  { title: 'SEVERITY' },
  { title: 'STATE' },
  { title: 'TARGET' },
  { title: 'RULE' },
  { title: 'AGE', align: 'right' },
  { title: 'SUMMARY' },
];

const SEVERITY: Readonly<Record<Severity, { readonly rank: number; readonly tone: Tone }>> = {
  critical: { rank: 0, tone: 'bad' },
  warning: { rank: 1, tone: 'warn' },
  info: { rank: 2, tone: 'dim' },
};

const STATE_TONES: Readonly<Record<AlertState, Tone>> = {
  pending: 'warn',
  firing: 'bad',
  acknowledged: 'warn',
  resolved: 'good',
  unknown: 'warn',
};

/** Resolved ones are history. */
export function isCurrent({ data }: AlertEvent): boolean {
  return data.state !== 'resolved';
}

/** Worst first, then longest first. */
export function byUrgency(a: AlertEvent, b: AlertEvent): number {
  const bySeverity = SEVERITY[a.data.severity].rank - SEVERITY[b.data.severity].rank;
  return bySeverity || Date.parse(a.data.startsAt) - Date.parse(b.data.startsAt);
}

/** The table of `muster alerts`; `alerts` are current ones. `nowMs` is unix time. */
export function renderAlerts(alerts: readonly AlertEvent[], nowMs: number, paint: Paint): string[] {
  if (alerts.length === 0) return ['no alerts'];
  const rows = [...alerts]
    .sort(byUrgency)
    .map(({ data }) => [
      { text: data.severity, tone: SEVERITY[data.severity].tone },
      { text: data.state, tone: STATE_TONES[data.state] },
      formatPlace(data.host, data.service),
      data.rule,
      formatAge(ageOf(data.startsAt, nowMs) ?? 0),
      data.summary,
    ]);
  return renderTable(COLUMNS, rows, paint);
}

/** One line for `muster alerts -f`. */
export function renderAlertLine({ time, data }: AlertEvent, paint: Paint): string {
  return [
    paint('dim', formatInstant(time)),
    paint(SEVERITY[data.severity].tone, data.severity),
    paint(STATE_TONES[data.state], data.state),
    printable(formatPlace(data.host, data.service)),
    printable(data.rule),
    printable(data.summary),
  ].join('  ');
}

function formatPlace(host: string, service: string): string {
  return service === NONE ? host : `${host}/${service}`;
}
