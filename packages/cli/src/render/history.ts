import { printable } from '@muster/contracts';
import type { ChartSeries, MetricsHistory } from '@muster/contracts/client';
import type { Paint } from './paint.ts';
import { type Column, renderTable } from './table.ts';
import { formatInstant, formatSpan } from './time.ts';

/** As many as fit beside a name and three values on a narrow terminal. */
export const HISTORY_COLUMNS = 40;

const BARS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/** Nothing was measured. */
const GAP = '·';
const COLUMNS: readonly Column[] = [
  { title: 'SERIES' },
  { title: 'OVER TIME' },
  ...['MIN', 'MEAN', 'MAX'].map((title) => ({ title, align: 'right' }) as const),
];

/** A line a series, from zero to its largest value. */
export function renderHistory(what: string, { series, startsAtMs, stepMs }: MetricsHistory, paint: Paint): string[] {
  const from = formatInstant(new Date(startsAtMs[0] ?? 0).toISOString());
  return [
    `${printable(what)} since ${from}, ${formatSpan(stepMs)} a column`,
    ...renderTable(
      COLUMNS,
      series.map((one) => [
        one.name,
        sparkline(one),
        ...extremes(one).map((value) => printable(formatValue(value, one.unit))),
      ]),
      paint,
    ),
  ];
}

function sparkline({ max }: ChartSeries): string {
  const top = Math.max(...max.map((value) => value ?? 0));
  const bar = (value: number) => BARS[top === 0 ? 0 : Math.round((value / top) * (BARS.length - 1))] ?? GAP;
  return max.map((value) => (value === null ? GAP : bar(Math.max(0, value)))).join('');
}

/** The smallest, the mean and the largest. */
function extremes({ min, max, mean, count }: ChartSeries): readonly number[] {
  const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  const total = count.reduce((sum, one) => sum + one, 0);
  const weighted = mean.reduce<number>((sum, value, at) => sum + (value ?? 0) * (count[at] ?? 0), 0);
  return [Math.min(...known(min)), total === 0 ? 0 : weighted / total, Math.max(...known(max))];
}

const STEPS = ['', 'k', 'M', 'G', 'T'];

/** `12.3 %`, `52.4 MB`, `1.2 kB/s`, `7`. */
function formatValue(value: number, unit: string): string {
  if (unit === 'ratio') return `${(value * 100).toFixed(1)} %`;
  if (!unit.startsWith('bytes')) return Number(value.toPrecision(3)).toString();
  const step = Math.min(STEPS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${Number((value / 1_000 ** step).toPrecision(3))} ${STEPS[step]}B${unit.slice('bytes'.length)}`;
}
