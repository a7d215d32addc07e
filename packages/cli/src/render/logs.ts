import { type LogLevelName, type LogLine, printableLine } from '@muster/contracts';
import type { LogEntry } from '@muster/contracts/client';
import { formatTarget } from '../fleet/target.ts';
import type { Paint, Tone } from './paint.ts';
import { formatInstant } from './time.ts';

type Of<K extends LogEntry['kind']> = Extract<LogEntry, { readonly kind: K }>;

const TONES: Readonly<Record<LogLevelName | 'unknown', Tone>> = {
  trace: 'dim',
  debug: 'dim',
  info: 'plain',
  warn: 'warn',
  error: 'bad',
  fatal: 'bad',
  unknown: 'plain',
};

/** `2026-11-23 17:40:01.123Z  web1/rag-api.0  error  no database {"attempt":3}`. */
export function renderLine({ source, line }: Of<'line'>, paint: Paint): string {
  const { time, level, text, fields, partial } = line;
  return [
    ...(time === '' ? [] : [paint('dim', formatInstant(time))]),
    paint('strong', whoOf(source, line)),
    ...(level === undefined || level === 'unknown' ? [] : [paint(TONES[level], level)]),
    paint(TONES[level ?? 'unknown'], printableLine(text)) +
      (fields === undefined ? '' : paint('dim', ` ${printableLine(JSON.stringify(fields))}`)) +
      (partial === true ? paint('dim', ' …') : ''),
  ].join('  ');
}

/** `2026-11-23 17:40:01.123Z  web1/rag-api.0  -- 812 lines (81200 bytes) of stdout are not here: more than 64 KiB/s --`. */
export function renderGap({ source, time, gap }: Of<'gap'>, paint: Paint): string {
  const { stream, lines, bytes, reason } = gap;
  const size = lines === undefined ? `${bytes} bytes` : `${lines} lines (${bytes} bytes)`;
  const text = `-- ${size} of ${stream} are not here: ${printableLine(reason)} --`;
  return [
    paint('dim', formatInstant(time)),
    paint('strong', printableLine(formatTarget(source))),
    paint('warn', text),
  ].join('  ');
}

/** stderr says so: `web1/rag-api.0!`. */
function whoOf(source: Of<'line'>['source'], { stream }: LogLine): string {
  return `${printableLine(formatTarget(source))}${stream === 'stderr' ? '!' : ''}`;
}
