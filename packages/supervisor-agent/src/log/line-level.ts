import type { LogLevelName } from '@muster/contracts';

const WORDS: Readonly<Record<string, LogLevelName>> = {
  trace: 'trace',
  trc: 'trace',
  debug: 'debug',
  dbg: 'debug',
  info: 'info',
  inf: 'info',
  notice: 'info',
  log: 'info',
  warn: 'warn',
  warning: 'warn',
  wrn: 'warn',
  error: 'error',
  err: 'error',
  fatal: 'fatal',
  ftl: 'fatal',
  critical: 'fatal',
  crit: 'fatal',
  alert: 'fatal',
  emerg: 'fatal',
  panic: 'fatal',
};

/** Numbers as bunyan and pino write them. */
const NUMBERS: Readonly<Record<number, LogLevelName>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** Of a value in a line of JSON. */
export function levelOfValue(value: unknown): LogLevelName | undefined {
  if (typeof value === 'number') return NUMBERS[value];
  return typeof value === 'string' ? wordOf(value) : undefined;
}

/** Where a text says it is near its start: behind a time, a logger's name, a pid. */
const HEAD_CHARS = 80;
/** `[ERROR]`, `[error]`, `<err>` · `level=warn` · `ERROR` in capitals · `error:` as the first word. */
const IN_TEXT =
  /[[<](\w{3,8})[\]>]|\blevel=["']?(\w{3,8})|\b(TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|FATAL|CRIT(?:ICAL)?|ALERT|EMERG|PANIC|TRC|DBG|INF|WRN|FTL)\b|^(\w{4,8}):/g;

/** Of a line of text. */
export function levelOfText(text: string): LogLevelName | undefined {
  for (const [, bracketed, assigned, shouted, leading] of text.slice(0, HEAD_CHARS).matchAll(IN_TEXT)) {
    const level = wordOf(bracketed ?? assigned ?? shouted ?? leading ?? '');
    if (level !== undefined) return level;
  }
  return undefined;
}

function wordOf(word: string): LogLevelName | undefined {
  const key = word.toLowerCase();
  return Object.hasOwn(WORDS, key) ? WORDS[key] : undefined;
}
