import { type InstanceStatus, printable } from '@muster/contracts';
import { formatTarget } from '../fleet/target.ts';
import type { FinishedCommand } from '../fleet/wait-for-outcome.ts';
import type { Paint } from './paint.ts';
import { stateCell } from './state.ts';
import { formatSpan } from './time.ts';

/** `web1/rag-api: running (pid 123) after 1.2 s`, or the reason why not. */
export function renderFinished(
  verb: string,
  { outcome, status, reason: why }: FinishedCommand,
  tookMs: number,
  paint: Paint,
): string {
  const name = nameOf(status);
  const state = paint(stateCell(status.state).tone, status.state);
  const after = formatSpan(tookMs);
  if (outcome === 'done') {
    const pid = status.pid === undefined ? '' : ` (pid ${status.pid})`;
    return `${name}: ${state}${pid} after ${after}`;
  }
  const reason = printable(why);
  if (outcome === 'failed') return `${name}: ${state} after ${after}: ${reason}`;
  const ready = status.state === 'running' && status.ready === 'no' ? ', not ready' : '';
  return `${name}: ${verb} not finished after ${after}: last seen ${state}${ready}: ${reason}`;
}

export function renderProgress(status: InstanceStatus, paint: Paint): string {
  const { text, tone } = stateCell(status.state);
  return `${nameOf(status)}: ${paint(tone, text)}, ${printable(status.reason)}`;
}

/** Most services have one instance, whose number says nothing. */
function nameOf({ host, service, instance }: InstanceStatus): string {
  return printable(formatTarget({ host, service, ...(instance > 0 && { instance }) }));
}
