import { type InstanceEvent, printable } from '@muster/contracts';
import { healthNow, stateNow, type WhyReading } from '../fleet/reading.ts';
import { formatTarget } from '../fleet/target.ts';
import { eventFacts, renderTransition } from './events.ts';
import type { Paint } from './paint.ts';
import { formatExit, stateCell } from './state.ts';
import { ageOf, formatInstant, formatSpan } from './time.ts';

const INDENT = '    ';

/** Where an instance stands, then each transition that led there, oldest first. `nowMs` is unix time. */
export function renderWhy({ instance, events }: WhyReading, nowMs: number, paint: Paint): string[] {
  const { status, isAlive, health } = instance;
  const { text, tone } = stateCell(stateNow(instance));
  const ageMs = ageOf(isAlive ? status.changedAt : status.time, nowMs);
  const verdict = healthNow(instance);
  const facts = [
    ...(ageMs === undefined ? [] : [isAlive ? `for ${formatSpan(ageMs)}` : `last heard ${formatSpan(ageMs)} ago`]),
    ...(isAlive && status.pid !== undefined ? [`pid ${status.pid}`] : []),
    ...(isAlive && status.state === 'running' ? [`ready: ${status.ready}`] : []),
    `run ${status.generation}`,
  ];
  return [
    `${paint('strong', printable(formatTarget(status)))}: ${paint(tone, text)}, ${facts.join(', ')}`,
    ...(isAlive ? [] : [`${INDENT}last known: ${status.state}`]),
    `${INDENT}reason: ${printable(status.reason)}`,
    `${INDENT}wanted: ${status.desired}`,
    `${INDENT}restarts: ${status.restarts} of ${status.restartBudget} in ${formatSpan(status.restartWindowMs)}`,
    ...(status.exit === undefined ? [] : [`${INDENT}last exit: ${formatExit(status.exit)}`]),
    ...(status.nextAttemptAt === undefined
      ? []
      : [`${INDENT}next attempt: ${formatNext(status.nextAttemptAt, nowMs)}`]),
    ...(verdict === undefined || health === undefined
      ? []
      : [`${INDENT}health: ${verdict} (${health.hardness}), ${printable(health.reason)}`]),
    '',
    ...(events.length === 0
      ? ['no transitions are known']
      : events.flatMap((event) => renderStep(event, events, paint))),
  ];
}

function formatNext(nextAttemptAt: string, nowMs: number): string {
  const inMs = -(ageOf(nextAttemptAt, nowMs) ?? 0);
  return inMs <= 0 ? 'due now' : `in ${formatSpan(inMs)} (${formatInstant(nextAttemptAt)})`;
}

function renderStep(event: InstanceEvent, all: readonly InstanceEvent[], paint: Paint): string[] {
  return [
    `${paint('dim', formatInstant(event.time))}  ${renderTransition(event, paint)}`,
    `${INDENT}${printable(event.reason)}`,
    `${INDENT}${paint('dim', [...eventFacts(event), `id ${printable(event.id)}`].join(', '))}`,
    ...event.causes.map((id) => `${INDENT}${paint('dim', `because of ${explainCause(id, all)}`)}`),
  ];
}

/** A cause that is one of the chain's own events is told in words; commands and verdicts are told by their id. */
function explainCause(id: string, all: readonly InstanceEvent[]): string {
  const known = all.find((event) => event.id === id);
  const words = known === undefined ? '' : ` (${known.from} -> ${known.to} at ${formatInstant(known.time)})`;
  return printable(id) + words;
}
