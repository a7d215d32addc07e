import type { Finding, Level } from '../check/finding.ts';
import type { Paint, Tone } from './paint.ts';
import { type Column, renderTable } from './table.ts';

const COLUMNS: readonly Column[] = [{ title: 'CHECK' }, { title: 'IS' }, { title: 'FINDING' }];
const TONES: Readonly<Record<Level, Tone>> = { ok: 'good', warning: 'warn', problem: 'bad' };

/** The table of `muster bus check`; what to do stands behind what is wrong. */
export function renderFindings(findings: readonly Finding[], paint: Paint): string[] {
  const rows = findings.map(({ check, level, text, remedy }) => [
    check,
    { text: level, tone: TONES[level] },
    remedy === undefined ? text : `${text}: ${remedy}`,
  ]);
  return renderTable(COLUMNS, rows, paint);
}
