import { printable, printableLine, redact } from '@muster/contracts';
import { type Diagnostic, formatDiagnostic } from '@muster/contracts/config';
import type { Paint } from './paint.ts';
import { displayWidth } from './table.ts';

/** Each problem with its place, the line it is on, and a caret below. `text` is the file. */
export function renderDiagnostics(
  severity: 'error' | 'warning',
  diagnostics: readonly Diagnostic[],
  text: string,
  paint: Paint,
): string[] {
  const lines = text.split(/\r?\n/u);
  const label = paint(severity === 'error' ? 'bad' : 'warn', severity);
  return diagnostics.flatMap((diagnostic) => [
    `${label}: ${printable(redact(formatDiagnostic(diagnostic)))}`,
    ...excerpt(diagnostic, lines, paint),
  ]);
}

/** Lines longer than this are shown up to here: a caret further right helps nobody. */
const MAX_EXCERPT_COLUMNS = 160;

function excerpt({ line, column }: Diagnostic, lines: readonly string[], paint: Paint): string[] {
  const source = lines[line - 1];
  if (source === undefined || column > MAX_EXCERPT_COLUMNS || isInEnvironment(lines, line)) return [];
  const shown = source.slice(0, MAX_EXCERPT_COLUMNS);
  if (redact(source) !== source) return [];
  const gutter = `  ${line} | `;
  const before = displayWidth(gutter + shown.slice(0, Math.max(0, column - 1)));
  return [
    paint('dim', gutter) + printableLine(shown.replace(/\t/gu, ' ')),
    `${' '.repeat(before)}${paint('bad', '^')}`,
  ];
}

const ENVIRONMENT_KEY = /\benvironment["']?\s*:/u;

/**
 * Whether a line shows values of an `environment` map, which may be secrets. Judged by the indentation of the text and not by
 * the parsed file: broken files are the ones that are shown.
 */
function isInEnvironment(lines: readonly string[], line: number): boolean {
  let indentation = Number.POSITIVE_INFINITY;
  for (let at = line - 1; at >= 0 && indentation > 0; at -= 1) {
    const text = lines[at] ?? '';
    const isBlank = /^\s*(#|$)/u.test(text);
    const own = /^\s*(?:-\s+)*/u.exec(text)?.[0].length ?? 0;
    if (isBlank || own >= indentation) continue;
    if (ENVIRONMENT_KEY.test(text)) return true;
    indentation = own;
  }
  return false;
}
