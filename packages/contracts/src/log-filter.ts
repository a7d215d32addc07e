import { LOG_LEVELS, type LogLevelName, type LogLine, type LogStream } from './messages/log.ts';
import type { Pattern } from './pattern.ts';

/** Which lines are wanted. What is not given does not count. */
export interface LogCriteria {
  readonly stream?: LogStream | undefined;
  /** At least so severe. A line that does not say how severe it is has none. */
  readonly level?: LogLevelName | undefined;
  /** Contained in the line or in one of its fields, whatever the case of its letters. */
  readonly text?: string | undefined;
  /** Found in the line, or in its fields as JSON. */
  readonly regex?: Pattern | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
}

/** A line as it is judged. One without a time is judged by everything else. */
export type JudgedLine = Omit<LogLine, 'time'> & { readonly time?: string | undefined };

/** Is it one of the wanted? Built once, asked for each line. */
export function logFilter({ stream, level, text, regex, since, until }: LogCriteria): (line: JudgedLine) => boolean {
  const severity = level === undefined ? 0 : LOG_LEVELS.indexOf(level);
  const wanted = text?.toLowerCase();
  const sinceMs = since?.getTime() ?? Number.NEGATIVE_INFINITY;
  const untilMs = until?.getTime() ?? Number.POSITIVE_INFINITY;
  const isTimed = since !== undefined || until !== undefined;
  return (line) => {
    if (stream !== undefined && line.stream !== stream) return false;
    if (level !== undefined && severityOf(line) < severity) return false;
    if (isTimed && line.time !== undefined) {
      const atMs = Date.parse(line.time);
      if (atMs < sinceMs || atMs > untilMs) return false;
    }
    if (wanted === undefined && regex === undefined) return true;
    const searched = searchedText(line);
    return (wanted === undefined || searched.toLowerCase().includes(wanted)) && (regex?.test(searched) ?? true);
  };
}

/** -1 where the line does not say. */
function severityOf({ level }: JudgedLine): number {
  return level === undefined || level === 'unknown' ? -1 : LOG_LEVELS.indexOf(level);
}

/** What text and regex are looked for in. */
export function searchedText({ text, fields }: JudgedLine): string {
  return fields === undefined ? text : `${text} ${JSON.stringify(fields)}`;
}
