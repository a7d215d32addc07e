/** From here on a number is a time in milliseconds; below it, in seconds. The year 5138, and 1973. */
const FIRST_MS = 100_000_000_000;
const EARLIEST_MS = Date.UTC(2000, 0);
const LATEST_MS = Date.UTC(2100, 0);

/** With a zone: a time without one could be of anywhere. */
const ZONED = /^\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)\s?(Z|[+-]\d\d:?\d\d)/;

/** Of a value in a line of JSON, in UTC. */
export function timeOfValue(value: unknown): string | undefined {
  if (typeof value === 'string') return timeOfText(value);
  if (typeof value !== 'number') return undefined;
  return instantOf(value < FIRST_MS ? value * 1_000 : value);
}

/** Of a text that starts with its time, in UTC. */
export function timeOfText(text: string): string | undefined {
  const first = text.charCodeAt(text.startsWith('[') ? 1 : 0);
  if (!(first >= 0x30 && first <= 0x39)) return undefined;
  const [, date, time = '', zone = ''] = ZONED.exec(text) ?? [];
  if (date === undefined) return undefined;
  const offset = zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone;
  return instantOf(Date.parse(`${date}T${time.replace(',', '.')}${offset}`));
}

function instantOf(ms: number): string | undefined {
  return ms >= EARLIEST_MS && ms <= LATEST_MS ? new Date(ms).toISOString() : undefined;
}
