import type { AlertRow, PageData, RowStatus, ServiceRow } from '../../server/protocol/index.ts';

/** The groups of the state filter: what a person looks for, coarser than the states. */
export const FILTERS = [
  { id: 'all', label: 'All', statuses: undefined },
  { id: 'problems', label: 'Problems', statuses: ['bad', 'warn'] },
  { id: 'unknown', label: 'Unknown', statuses: ['unknown'] },
  { id: 'changing', label: 'Changing', statuses: ['busy'] },
  { id: 'running', label: 'Running', statuses: ['good'] },
  { id: 'resting', label: 'At rest', statuses: ['idle'] },
] as const satisfies readonly { id: string; label: string; statuses: readonly RowStatus[] | undefined }[];
export type FilterId = (typeof FILTERS)[number]['id'];

export interface KeyedRow {
  readonly key: string;
  readonly row: ServiceRow;
}

/** The services of people, or Muster's own. By name, so that a row never jumps away under the pointer. */
export function serviceRows(page: PageData, isSystem: boolean): readonly KeyedRow[] {
  return Object.entries(page.services)
    .filter(([, row]) => row.isSystem === isSystem)
    .map(([key, row]) => ({ key, row }))
    .sort(
      (a, b) =>
        compare(a.row.service, b.row.service) || compare(a.row.host, b.row.host) || a.row.instance - b.row.instance,
    );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function filterRows(rows: readonly KeyedRow[], text: string, filter: FilterId): readonly KeyedRow[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const statuses: readonly RowStatus[] | undefined = FILTERS.find(({ id }) => id === filter)?.statuses;
  return rows.filter(({ row }) => {
    if (statuses !== undefined && !statuses.includes(row.status)) return false;
    const haystack = `${row.service} ${row.host} ${row.type} ${row.state} ${row.reason}`.toLowerCase();
    return words.every((word) => haystack.includes(word));
  });
}

export function countByFilter(rows: readonly KeyedRow[]): Readonly<Record<FilterId, number>> {
  const entries = FILTERS.map(({ id }) => [id, filterRows(rows, '', id).length]);
  return Object.fromEntries(entries) as Record<FilterId, number>;
}

const SEVERITY_ORDER: Readonly<Record<AlertRow['severity'], number>> = { critical: 0, warning: 1, info: 2 };

/** Firing first, by severity; then acknowledged; then what is over, latest first. */
export function sortedAlerts(page: PageData): {
  readonly open: readonly AlertRow[];
  readonly past: readonly AlertRow[];
} {
  const all = Object.values(page.alerts);
  const open = all.filter(({ state }) => state !== 'resolved');
  const past = all.filter(({ state }) => state === 'resolved');
  return {
    open: open.sort((a, b) => order(a) - order(b) || (b.startedAtMs ?? 0) - (a.startedAtMs ?? 0)),
    past: past.sort((a, b) => endOf(b) - endOf(a)),
  };
}

function order({ state, severity }: AlertRow): number {
  return (state === 'firing' ? 0 : 10) + SEVERITY_ORDER[severity];
}

function endOf({ endedAtMs, startedAtMs }: AlertRow): number {
  return endedAtMs ?? startedAtMs ?? Number.NEGATIVE_INFINITY;
}

const MAX_ANNOUNCED = 3;

/** What changed, in words for a screen reader; empty when nothing did. */
export function announce(before: PageData | undefined, after: PageData | undefined): string {
  if (before === undefined || after === undefined) return '';
  const changed = Object.entries(after.services).filter(([key, row]) => {
    const was = before.services[key];
    return was !== undefined && was.state !== row.state;
  });
  const words = changed.slice(0, MAX_ANNOUNCED).map(([, row]) => `${row.service} on ${row.host} is ${row.state}`);
  if (changed.length > MAX_ANNOUNCED) words.push(`${changed.length - MAX_ANNOUNCED} more changed`);
  if (before.fleet.headline !== after.fleet.headline) words.push(after.fleet.headline);
  return words.join('. ');
}
