import type { AlertRow, ComponentRow, FleetView, HostRow, PageData, ServiceRow } from '../protocol/page.ts';

export const MAX_ROWS = 500;

export interface DataQuery {
  readonly host?: string | undefined;
  readonly state?: ServiceRow['state'] | undefined;
  /** Text looked for in the names, the state and the reason. */
  readonly q?: string | undefined;
  readonly offset: number;
  /** At most MAX_ROWS. */
  readonly limit: number;
}

/** Every `…AtMs` of a row as `…AgeMs`: milliseconds before the answer was made. */
type Aged<T> = {
  [K in keyof T as K extends `${infer Name}AtMs` ? `${Name}AgeMs` : K]: T[K] extends object | undefined
    ? Aged<T[K]>
    : T[K];
};

interface Listed<Row> {
  /** How many there are; `rows` holds at most MAX_ROWS of them. */
  readonly total: number;
  readonly rows: readonly Aged<Row>[];
}

/** The answer of `GET /api/dashboard-data`. Filters and paging are about `services`. */
export interface DashboardData {
  readonly fleet: Aged<FleetView>;
  readonly hosts: Listed<HostRow>;
  readonly services: Listed<ServiceRow> & { readonly offset: number; readonly limit: number };
  readonly alerts: Listed<AlertRow>;
  readonly components: Listed<ComponentRow>;
}

export function queryPage(page: PageData, nowMs: number, query: DataQuery): DashboardData {
  const services = Object.values(page.services).filter((row) => isMeant(row, query));
  const { offset, limit } = query;
  return {
    fleet: withAges(page.fleet, nowMs),
    hosts: listed(Object.values(page.hosts), nowMs),
    services: { ...listed(services, nowMs, offset, limit), offset, limit },
    alerts: listed(Object.values(page.alerts), nowMs),
    components: listed(Object.values(page.components), nowMs),
  };
}

function isMeant(row: ServiceRow, { host, state, q }: DataQuery): boolean {
  if (host !== undefined && row.host !== host) return false;
  if (state !== undefined && row.state !== state) return false;
  if (q === undefined) return true;
  const wanted = q.toLowerCase();
  return [row.service, row.host, row.state, row.reason].some((text) => text.toLowerCase().includes(wanted));
}

function listed<Row extends object>(all: readonly Row[], nowMs: number, offset = 0, limit = MAX_ROWS): Listed<Row> {
  return { total: all.length, rows: all.slice(offset, offset + limit).map((row) => withAges(row, nowMs)) };
}

function withAges<T extends object>(value: T, nowMs: number): Aged<T> {
  const entries = Object.entries(value).map(([key, part]: [string, unknown]) => {
    if (key.endsWith('AtMs') && typeof part === 'number')
      return [`${key.slice(0, -'AtMs'.length)}AgeMs`, Math.max(0, Math.round(nowMs - part))];
    const isMap = typeof part === 'object' && part !== null && !Array.isArray(part);
    return [key, isMap ? withAges(part, nowMs) : part];
  });
  return Object.fromEntries(entries) as Aged<T>;
}

/** The same answer whatever the time: what an ETag is made of. */
export function withoutAges(data: DashboardData): string {
  return JSON.stringify(data, (key, value: unknown) => (key.endsWith('AgeMs') ? undefined : value));
}
