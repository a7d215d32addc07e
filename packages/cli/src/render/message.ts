import { printable } from '@muster/contracts';
import type { Paint } from './paint.ts';
import { formatInstant } from './time.ts';

/** What stands in the line already, or says nothing to a reader. */
const TOLD = new Set(['id', 'time', 'source', 'epoch', 'seq', 'specversion', 'datacontenttype']);

/** One line for `muster bus tail`: when, which row, which of its subjects, then the fields that say something. */
export function renderMessage(
  name: string,
  params: Readonly<Record<string, string | number>>,
  message: Readonly<Record<string, unknown>>,
  paint: Paint,
): string {
  const place = printable(Object.values(params).join('/'));
  const fields = Object.entries(message)
    .filter(([key]) => !TOLD.has(key) && !Object.hasOwn(params, key))
    .map(([key, value]) => `${paint('dim', `${printable(key)}=`)}${fieldText(value)}`);
  return [
    paint('dim', typeof message['time'] === 'string' ? formatInstant(message['time']) : '-'),
    paint('strong', printable(name)),
    place,
    fields.join(' '),
  ].join('  ');
}

/** A word as it is, all else as JSON. */
function fieldText(value: unknown): string {
  return printable(typeof value === 'string' && /^[^\s"]+$/u.test(value) ? value : JSON.stringify(value));
}
