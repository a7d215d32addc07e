import { printable } from '@muster/contracts';
import type { Paint, Tone } from './paint.ts';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}
export type Cell = string | { readonly text: string; readonly tone: Tone };

const GAP = '  ';

/** Lines of a table, columns aligned by what a terminal shows. The last column is not padded. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly Cell[])[], paint: Paint): string[] {
  const body = rows.map((row) => row.map(asCell));
  const widths = columns.map(({ title }, at) =>
    Math.max(displayWidth(title), ...body.map((row) => displayWidth(row[at]?.text ?? ''))),
  );
  const line = (cells: readonly { text: string; tone: Tone }[]) =>
    cells
      .map(({ text, tone }, at) => {
        const padding = ' '.repeat(Math.max(0, (widths[at] ?? 0) - displayWidth(text)));
        const painted = paint(tone, text);
        return columns[at]?.align === 'right'
          ? padding + painted
          : painted + (at === columns.length - 1 ? '' : padding);
      })
      .join(GAP)
      .trimEnd();
  return [columns.map(({ title }) => ({ text: title, tone: 'dim' as const })), ...body].map(line);
}

function asCell(cell: Cell): { text: string; tone: Tone } {
  const { text, tone } = typeof cell === 'string' ? { text: cell, tone: 'plain' as const } : cell;
  return { text: printable(text), tone };
}

const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]/u;

/** Columns that a terminal needs for `text`: a grapheme takes one, East Asian wide ones and emoji take two. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)) {
    width += WIDE.test(segment) ? 2 : 1;
  }
  return width;
}
