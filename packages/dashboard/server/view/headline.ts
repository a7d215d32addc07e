import type { InstanceStateName } from '@muster/contracts';
import type { FleetView, PageData, RowStatus, ServiceRow } from '../protocol/page.ts';
import type { Fleet } from './fleet.ts';
import { worstStatus } from './row-status.ts';

interface HeadlineInput extends Pick<PageData, 'hosts' | 'services' | 'alerts' | 'components'> {
  readonly bus: Fleet['bus'];
  readonly isComplete: boolean;
}

/** The whole fleet in one line for people, and a second one with what lies under it. */
export function fleetHeadline(input: HeadlineInput): Pick<FleetView, 'status' | 'headline' | 'detail'> {
  const all = Object.values(input.services);
  const services = all.filter(({ isSystem }) => !isSystem);
  const own = all.filter(({ isSystem, status }) => isSystem && status !== 'good' && status !== 'idle');
  const detail = detailOf(input);
  if (!input.bus.isConnected) {
    return { status: 'unknown', headline: 'Blind: the bus is away', detail };
  }
  if (!input.isComplete) return { status: 'busy', headline: 'Reading the fleet from the bus', detail };
  const parts = [...troubles(services), ...ownTroubles(own)];
  const status = worstStatus([...services, ...own].map(({ status }) => status)) ?? 'idle';
  return { status, headline: parts.length > 0 ? sentence(parts) : calm(services), detail };
}

/** Which words stand for which rows, worst first. A row counts once, for the first that fits. */
const TROUBLES: readonly {
  readonly words: (count: number) => string;
  readonly isMeant: (row: ServiceRow) => boolean;
}[] = [
  { words: (n) => `${n} down`, isMeant: ({ state }) => state === 'failed' },
  {
    words: (n) => `${n} unhealthy`,
    isMeant: ({ state, health }) => state === 'running' && health?.verdict === 'unhealthy',
  },
  { words: (n) => `${n} orphaned`, isMeant: ({ state }) => state === 'orphaned' },
  { words: (n) => `${n} unknown`, isMeant: ({ state }) => state === 'unknown' },
  { words: (n) => `${n} recovering`, isMeant: isRecovering },
  {
    words: (n) => `${n} degraded`,
    isMeant: ({ state, status, ready }) => state === 'running' && status === 'warn' && ready !== 'no',
  },
  { words: (n) => `${n} not ready`, isMeant: ({ state, ready }) => state === 'running' && ready === 'no' },
  { words: (n) => `${n} starting`, isMeant: is('starting') },
  { words: (n) => `${n} waiting`, isMeant: is('pending') },
  { words: (n) => `${n} stopping`, isMeant: is('stopping') },
];

function is(wanted: InstanceStateName) {
  return ({ state }: ServiceRow) => state === wanted;
}

/** Between a crash and being back. */
function isRecovering({ state, restarts }: ServiceRow): boolean {
  return state === 'backoff' || (state === 'starting' && restarts > 0);
}

function troubles(services: readonly ServiceRow[]): string[] {
  const counts = new Map<(count: number) => string, number>();
  for (const row of services) {
    // Most rows of a large fleet are fine: they are not asked about ten kinds of trouble.
    if (row.status === 'good' || row.status === 'idle') continue;
    const trouble = TROUBLES.find(({ isMeant }) => isMeant(row));
    if (trouble !== undefined) counts.set(trouble.words, (counts.get(trouble.words) ?? 0) + 1);
  }
  const parts = TROUBLES.filter(({ words }) => counts.has(words)).map(({ words }) => words(counts.get(words) ?? 0));
  const running = services.filter(({ status }) => status === 'good').length;
  return parts.length > 0 && running > 0 ? [...parts, `${running} running`] : parts;
}

function ownTroubles(own: readonly ServiceRow[]): string[] {
  if (own.length === 0) return [];
  return own.length === 1
    ? [`Muster's own ${own[0]?.service} is ${own[0]?.state}`]
    : [`${own.length} of Muster's own services need a look`];
}

function calm(services: readonly ServiceRow[]): string {
  const count = (status: RowStatus) => services.filter((row) => row.status === status).length;
  const [running, idle] = [count('good'), count('idle')];
  if (services.length === 0) return 'No services yet';
  if (running === 0) return `${plural(idle, 'service')}, none of them meant to run`;
  if (idle === 0) return running === 1 ? 'The one service is running' : `All ${running} services running`;
  return `${plural(running, 'service')} running, ${idle} at rest`;
}

function detailOf({ hosts, alerts, components, bus }: HeadlineInput): string {
  const all = Object.values(hosts);
  const heard = all.filter(({ presence }) => presence === 'heard').length;
  const firing = Object.values(alerts).filter(({ state }) => state === 'firing').length;
  const probers = Object.values(components).filter(({ kind }) => kind === 'prober');
  const judging = probers.filter(({ presence }) => presence === 'heard').length;
  if (!bus.isConnected) return `What is below was known before; nothing of it is confirmed. Reason: ${bus.reason}.`;
  return [
    heard === all.length ? `${plural(heard, 'host')} heard` : `${heard} of ${plural(all.length, 'host')} heard`,
    firing === 0 ? 'no alert firing' : `${plural(firing, 'alert')} firing`,
    judging === 0 ? 'no prober heard: health is not judged' : `${plural(judging, 'prober')} judging health`,
  ].join(' · ');
}

function plural(count: number, noun: string): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s`;
}

function sentence(parts: readonly string[]): string {
  return parts.join(', ');
}
