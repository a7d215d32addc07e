import { type CommandOutcome, printable } from '@muster/contracts';
import type { Paint, Tone } from './paint.ts';

/** What could be learned about one command. */
export interface FoundOutcome {
  readonly commandId: string;
  /** Absent when nobody knows where it went. */
  readonly host?: string;
  readonly outcome: CommandOutcome;
  /** By an agent, rather than from what is stored. */
  readonly isAnswered: boolean;
  readonly reason: string;
  readonly verb?: string;
  readonly service?: string;
  readonly instance?: number | undefined;
  /** Instead of service and instance, from an audit record: `web1/api.0`. */
  readonly target?: string;
}

const TONES: Readonly<Record<CommandOutcome, Tone>> = {
  done: 'good',
  accepted: 'warn',
  refused: 'bad',
  failed: 'bad',
  unknown: 'warn',
};

/** `restart web1/api.0: done: it is running`. */
export function renderFoundOutcome(found: FoundOutcome, paint: Paint): string {
  const { commandId, host, outcome, reason, verb, service, instance = 0, target } = found;
  const place = target ?? (service === undefined ? host : `${host}/${service}.${instance}`);
  const what = verb === undefined ? commandId : `${verb} ${place ?? ''}`;
  return `${printable(what)}: ${paint(TONES[outcome], outcome)}: ${printable(reason)}`;
}
