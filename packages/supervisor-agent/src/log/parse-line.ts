import type { LogLevelName, LogLine } from '@muster/contracts';
import { levelOfText, levelOfValue } from './line-level.ts';
import { timeOfText, timeOfValue } from './line-time.ts';

/** What a line says of itself. */
export type ParsedLine = Pick<LogLine, 'text' | 'fields'> & { readonly level?: LogLevelName; readonly time?: string };

const LEVEL_KEYS = ['level', 'severity', 'lvl', 'levelname'];
const TIME_KEYS = ['time', 'timestamp', 'ts', '@timestamp'];
const MESSAGE_KEYS = ['msg', 'message'];
/** A line with more in it stays as it is. */
const MAX_FIELDS = 32;
const MAX_FIELDS_CHARS = 4_096;

/** Never throws: a line may be anything. */
export function parseLine(raw: string): ParsedLine {
  const object = raw.startsWith('{') ? objectOf(raw) : undefined;
  if (object === undefined) return { text: raw, ...definedOnly(levelOfText(raw), timeOfText(raw)) };
  const said = definedOnly(levelOfValue(firstOf(object, LEVEL_KEYS)), timeOfValue(firstOf(object, TIME_KEYS)));
  const message = firstOf(object, MESSAGE_KEYS);
  if (typeof message !== 'string') return { text: raw, ...said };
  const lifted = new Set([keyOf(object, MESSAGE_KEYS)]);
  if (said.level !== undefined) lifted.add(keyOf(object, LEVEL_KEYS));
  if (said.time !== undefined) lifted.add(keyOf(object, TIME_KEYS));
  const rest = Object.entries(object).filter(([key]) => !lifted.has(key));
  if (rest.length === 0) return { text: message, ...said };
  const fields = Object.fromEntries(rest);
  return rest.length > MAX_FIELDS || charsOf(fields) > MAX_FIELDS_CHARS
    ? { text: raw, ...said }
    : { text: message, fields, ...said };
}

function definedOnly(level: LogLevelName | undefined, time: string | undefined): Omit<ParsedLine, 'text' | 'fields'> {
  return { ...(level !== undefined && { level }), ...(time !== undefined && { time }) };
}

function objectOf(raw: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(raw);
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** As JSON; what is nested too deeply to be written is too long. */
function charsOf(value: unknown): number {
  try {
    return JSON.stringify(value).length;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

function keyOf(object: Readonly<Record<string, unknown>>, keys: readonly string[]): string | undefined {
  return keys.find((key) => Object.hasOwn(object, key));
}

function firstOf(object: Readonly<Record<string, unknown>>, keys: readonly string[]): unknown {
  const key = keyOf(object, keys);
  return key === undefined ? undefined : object[key];
}
