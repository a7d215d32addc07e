import type { HostRow, PageData, ServiceRow } from '../../server/protocol/index.ts';
import type { State } from './state.ts';

/**
 * What may be shown. While this page has no connection nothing on it is confirmed, so every row is `unknown` with the age of
 * what was known, just as the server does it for hosts that it does not hear.
 */
export function trustedPage({
  page,
  link,
  lastFrameMs,
  serverMinusLocalMs,
}: Pick<State, 'page' | 'link' | 'lastFrameMs' | 'serverMinusLocalMs'>): PageData | undefined {
  if (page === undefined || link.status !== 'lost') return page;
  const lastAtMs = (lastFrameMs ?? link.sinceMs) + serverMinusLocalMs;
  const services = mapValues(page.services, (row) => doubted(row, lastAtMs));
  const hosts = mapValues(page.hosts, unmeasured);
  const components = mapValues(page.components, (row) => ({ ...row, presence: 'blind' as const }));
  const alerts = mapValues(page.alerts, (row) => ({ ...row, isConfirmed: row.state === 'resolved' }));
  const fleet = {
    ...page.fleet,
    status: 'unknown' as const,
    headline: 'Connection to the dashboard lost',
    detail: 'What is below was last known before that; nothing of it is confirmed.',
  };
  return { fleet, services, hosts, components, alerts };
}

/** What was measured is not shown either: a bar would look like now. */
function unmeasured({ host, services, heardAtMs, agentVersion }: HostRow): HostRow {
  return {
    host,
    services,
    status: 'unknown',
    presence: 'blind',
    ...(heardAtMs !== undefined && { heardAtMs }),
    ...(agentVersion !== undefined && { agentVersion }),
  };
}

function doubted(row: ServiceRow, lastAtMs: number): ServiceRow {
  const { cpuRatio: _cpu, rssBytes: _rss, latencyMs: _latency, health, ...rest } = row;
  return {
    ...rest,
    status: 'unknown',
    state: 'unknown',
    ready: 'unknown',
    isConfirmed: false,
    lastHeardAtMs: row.lastHeardAtMs ?? lastAtMs,
    ...(health !== undefined && { health: { ...health, verdict: 'unknown' } }),
    actions: [],
    actionsRefusal: 'this page has no connection to the dashboard',
  };
}

function mapValues<V>(record: Readonly<Record<string, V>>, change: (value: V) => V): Readonly<Record<string, V>> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
