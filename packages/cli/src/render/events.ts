import { type ComponentEvent, type InstanceEvent, printable } from '@muster/contracts';
import { formatTarget } from '../fleet/target.ts';
import type { Paint } from './paint.ts';
import { formatExit, stateCell } from './state.ts';
import { formatInstant } from './time.ts';

/** One line for `muster events`: `2026-11-23 17:40:01.123Z  web1/rag-api.0  running -> backoff  exited; …`. */
export function renderInstanceEvent(event: InstanceEvent, paint: Paint): string {
  const facts = eventFacts(event);
  return [
    paint('dim', formatInstant(event.time)),
    printable(formatTarget(event)),
    renderTransition(event, paint),
    printable(event.reason) + (facts.length === 0 ? '' : paint('dim', ` (${facts.join(', ')})`)),
  ].join('  ');
}

/** Something is lost, or somebody harms. */
const BAD: readonly ComponentEvent['kind'][] = ['gap', 'streams-remade', 'stream-emptied', 'flood-stopped'];

/** The same of a host (`web1`), a prober (`prober main`) or the bus (`bus guard`) itself. */
export function renderComponentEvent(
  sender: string,
  { time, kind, reason, lost }: ComponentEvent,
  paint: Paint,
): string {
  const gap = lost === undefined ? '' : ` (${lost} lost)`;
  return [
    paint('dim', formatInstant(time)),
    printable(sender),
    paint(BAD.includes(kind) ? 'bad' : 'strong', kind),
    printable(reason) + gap,
  ].join('  ');
}

export function renderTransition({ from, to, ready }: InstanceEvent, paint: Paint): string {
  const { tone } = stateCell(to);
  if (from === to) return paint(tone, `${to}, ready: ${ready}`);
  return `${from} -> ${paint(tone, to)}`;
}

/** What an event says in numbers: how it ended, which run, how much of the restart budget is spent. */
export function eventFacts({ exit, generation, restarts, restartBudget, restartLoop }: InstanceEvent): string[] {
  return [
    ...(exit === undefined ? [] : [`exit: ${formatExit(exit)}`]),
    `run ${generation}`,
    ...(restarts === undefined || restarts === 0
      ? []
      : [`restart ${restarts}${restartBudget === undefined ? '' : ` of ${restartBudget}`}`]),
    ...(restartLoop === true ? ['restart loop'] : []),
  ];
}
